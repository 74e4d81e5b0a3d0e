#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Paths of one machine and package hosts do not belong into the project; each source names its licence.
cd "$1" || exit 1
status=0
if git grep -nIE '(/wor[k]/|/far[m]/|/roo[t]/|https?://[a-z.]*(debian|npmjs|pypi)\.)' -- . ':!LICENSE'; then
  echo "the lines above name a machine's path or a package host"; status=1
fi
for file in $(git ls-files '*.cpp' '*.hpp' '*.py' '*.sh' '*.cmake' '*CMakeLists.txt'); do
  head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$file: no SPDX line"; status=1; }
done
exit $status
