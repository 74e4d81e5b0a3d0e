// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/try.hpp"

#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

// Words before a place are few and fixed; places are asked of `berth __complete`, which answers
// from what is remembered, and so are the options of a command.
constexpr std::string_view kBash = R"bash(# bash completion for berth
# Bash splits words at ':', which places are full of. So the words are taken from the line, and what
# bash takes for an earlier word is cut off the answers.
_berth_reply() {
  local i cut=
  for ((i = ${#cur} - 1; i >= 0; --i)); do
    if [[ "$COMP_WORDBREAKS" == *"${cur:i:1}"* ]]; then cut=${cur:0:i+1}; break; fi
  done
  COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
_berth() {
  local line=${COMP_LINE:0:COMP_POINT} cur command= word
  local -a words
  read -ra words <<<"$line"
  case $line in
    *[[:space:]]) cur= ;;
    *) cur=${words[${#words[@]}-1]}; unset "words[${#words[@]}-1]" ;;
  esac
  local commands="ls tree cat stat set deleted purge cp tag untag rm mount unmount refresh cache doctor login logout whoami token setup completion version"
  # Before it stand options, and what they take.
  for word in "${words[@]:1}"; do
    case " $commands " in *" $word "*) command=$word; break ;; esac
  done
  COMPREPLY=()
  case $cur in
    -*) COMPREPLY=($(berth __complete ${command:+--of "$command"} -- "$cur" 2>/dev/null)); return ;;
  esac
  case $command in
    '') COMPREPLY=($(compgen -W "$commands" -- "$cur")); return ;;
    cache) COMPREPLY=($(compgen -W "status verify prune limit" -- "$cur")); return ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")); return ;;
    unmount) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    version) return ;;
  esac
  case $cur in
    /*|./*|../*) COMPREPLY=($(compgen -f -- "$cur")) ;;
    *)
      local IFS=$'\n'
      COMPREPLY=($(berth __complete -- "$cur" 2>/dev/null))
      [ "$command" = mount ] && COMPREPLY+=($(compgen -d -- "$cur"))
      _berth_reply
      compopt -o nospace 2>/dev/null ;;
  esac
}
complete -F _berth berth
)bash";

constexpr std::string_view kZsh = R"zsh(#compdef berth
# zsh completion for berth
_berth() {
  local -a commands places
  local command word
  commands=(
    'ls:list repositories, tags, a manifest'"'"'s files' 'tree:draw what stands below a place' 'cat:write files to standard output'
    'stat:show what is known of a place' 'set:set properties'
    'deleted:list and restore what soft delete keeps' 'purge:delete old tags and manifests' 'cp:copy to files, layouts, archives and registries' 'tag:give another tag' 'untag:take tags away' 'rm:untag or delete' 'mount:mount a place' 'unmount:unmount'
    'refresh:forget listings and tags' 'cache:show, check and limit the cache' 'doctor:say what is wrong'
    'login:check and keep a password' 'logout:forget it' 'whoami:as whom a registry is asked' 'token:print a token'
    'setup:have a tool ask berth for credentials'
    'completion:print a completion script' 'version:print the version'
  )
  # Before it stand options, and what they take.
  for word in "${(@)words[2,CURRENT-1]}"; do
    if [[ -n $word && -n ${commands[(r)${(b)word}:*]} ]]; then command=$word; break; fi
  done
  if [[ ${words[CURRENT]} == -* ]]; then
    compadd -- ${(f)"$(berth __complete ${command:+--of} ${command:+$command} -- "${words[CURRENT]}" 2>/dev/null)"}
    return
  fi
  case $command in
    '') _describe command commands; return ;;
    cache) compadd status verify prune limit; return ;;
    completion) compadd bash zsh fish; return ;;
    unmount) _files -/; return ;;
    version) return ;;
  esac
  case ${words[CURRENT]} in
    /*|./*|../*) _files ;;
    *)
      places=(${(f)"$(berth __complete -- "${words[CURRENT]}" 2>/dev/null)"})
      compadd -S '' -a places
      [[ $command == mount ]] && _files -/ ;;
  esac
}
compdef _berth berth
)zsh";

constexpr std::string_view kFish = R"fish(# fish completion for berth
function __berth_places
    string match -q -- '-*' (commandline -ct); and return
    berth __complete -- (commandline -ct) 2>/dev/null
end
function __berth_options
    string match -q -- '-*' (commandline -ct); or return
    # Before the command stand options, and what they take.
    set -l of
    for word in (commandline -opc)[2..-1]
        if contains -- $word $__berth_commands
            set of --of $word
            break
        end
    end
    berth __complete $of -- (commandline -ct) 2>/dev/null
end
set -g __berth_commands ls tree cat stat set deleted purge cp tag untag rm mount unmount refresh cache doctor login logout whoami token setup completion version
complete -c berth -f
complete -c berth -n "not __fish_seen_subcommand_from $__berth_commands" -a "$__berth_commands"
complete -c berth -n "__fish_seen_subcommand_from ls tree cat stat set deleted purge cp tag untag rm mount refresh doctor" -a "(__berth_places)"
complete -c berth -a "(__berth_options)"
complete -c berth -n "__fish_seen_subcommand_from cp mount unmount refresh" -F
complete -c berth -n "__fish_seen_subcommand_from cache" -a "status verify prune limit"
complete -c berth -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
for option in platform username timeout
    complete -c berth -l $option -x
end
for option in authfile config ca-file cert-file key-file key-password-file cache
    complete -c berth -l $option -r -F
end
)fish";

/// Names of `folder` whose type is wanted, each with `before` and, unless it is a file or a tag
/// that was named by ':', a slash to go on from.
Result<std::vector<std::string>> names_below(const std::string& folder, const std::string& before,
                                             bool tags_alone, Workspace& workspace) {
  std::vector<std::string> names;
  const Located located = TRY(workspace.locate(folder, true));
  for (const auto& entry : TRY(located.tree->list(located.found.node, workspace.context()))) {
    if (tags_alone && entry.type != tree::Type::link) continue;
    const bool ends = tags_alone || entry.type == tree::Type::file;
    names.push_back(before + entry.name + (ends ? "" : "/"));
  }
  return names;
}

Result<std::vector<std::string>> registries(Workspace& workspace) {
  std::vector<std::string> names;
  content::Hub* hub = TRY(workspace.hub());
  for (const std::string& registry : hub->known_registries()) names.push_back(registry + "/");
  for (const std::string& registry : hub->cache().remembered().registries())
    names.push_back(registry + "/");
  return names;
}

/// Registries first, then what the tree shows below the folder part of the word; after
/// `repository:` its tags. A key was pressed: no request, no wait, and no message.
Result<std::vector<std::string>> places_for(const std::string& word, Workspace& workspace) {
  std::vector<std::string> places;
  const auto slash = word.rfind('/');
  if (slash == std::string::npos) {
    places = TRY(registries(workspace));
  } else if (const auto colon = word.find(':', slash); colon != std::string::npos) {
    places = TRY(names_below(word.substr(0, colon), word.substr(0, colon + 1), true, workspace));
  } else {
    const std::string folder = word.substr(0, slash + 1);
    places = TRY(names_below(folder, folder, false, workspace));
  }
  std::erase_if(places, [&](const std::string& place) { return !place.starts_with(word); });
  std::ranges::sort(places);
  places.erase(std::ranges::unique(places).begin(), places.end());
  return places;
}

}  // namespace

int run_completion(const CompletionCommand& command, Workspace& workspace) {
  workspace.io().print(command.shell == "bash" ? kBash : command.shell == "zsh" ? kZsh : kFish);
  return kDone;
}

int run_complete(const CompleteCommand& command, Workspace& workspace) {
  if (command.word.starts_with('-')) {
    for (const std::string& option : options_of(command.of)) {
      if (option.starts_with(command.word)) workspace.io().print(option + "\n");
    }
    return kDone;
  }
  CommonOptions offline = workspace.options();
  offline.offline = true;
  Workspace quiet(offline, workspace.io(),
                  workspace.context().with_timeout(std::chrono::milliseconds(500)));
  quiet.name_hosts({command.word});
  if (const auto places = places_for(command.word, quiet)) {
    for (const std::string& place : *places) workspace.io().print(place + "\n");
  }
  return kDone;
}

}  // namespace berth::cli
