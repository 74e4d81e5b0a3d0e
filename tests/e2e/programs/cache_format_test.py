# SPDX-License-Identifier: Apache-2.0
"""A cache folder read by docs/cache-format.md alone: a second reader, which shares no line with berth."""
import hashlib
import json
import pathlib
import re
import signal
import struct
import subprocess
import time
import unittest
import urllib.parse

from harness import Case, wait_until

CHUNK = 4 << 20
MICROSECONDS = 1_000_000


def fnv1a(data):
    total = 0xcbf29ce484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return total


def unpack(form, data, at):
    return struct.unpack_from("<" + form, data, at)


def text_of(field):
    return field.split(b"\0")[0].decode()


class Sha256:
    """FIPS 180-4, to hash on from a saved state: hashlib cannot."""
    PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, n))][:64]
    K = [int((p ** (1 / 3) % 1) * (1 << 32)) for p in PRIMES]
    START = [int((p ** 0.5 % 1) * (1 << 32)) for p in PRIMES[:8]]

    def __init__(self, chain=None):
        self.chain = list(chain or self.START)

    def block(self, block):
        def rotate(x, n):
            return (x >> n | x << 32 - n) & 0xffffffff
        w = list(struct.unpack(">16I", block))
        for i in range(16, 64):
            s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3
            s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10
            w.append(w[i - 16] + s0 + w[i - 7] + s1 & 0xffffffff)
        a, b, c, d, e, f, g, h = self.chain
        for i in range(64):
            t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (e & f ^ ~e & g) + self.K[i] + w[i]
            t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c)
            a, b, c, d, e, f, g, h = t1 + t2 & 0xffffffff, a, b, c, d + t1 & 0xffffffff, e, f, g
        self.chain = [x + y & 0xffffffff for x, y in zip(self.chain, (a, b, c, d, e, f, g, h))]

    def finish(self, rest, count):
        data = rest + b"\x80" + bytes(-(len(rest) + 9) % 64) + struct.pack(">Q", count * 8)
        for at in range(0, len(data), 64):
            self.block(data[at:at + 64])
        return struct.pack(">8I", *self.chain).hex()


class HashState:
    """ "Saved states of hashes"."""

    def __init__(self, state):
        assert len(state) == 256 and state[:7] == b"berthhs" and state[7] == 1, state[:8]
        assert fnv1a(state[:248]) == unpack("Q", state, 248)[0], "the checksum"
        self.algorithm = state[8]
        self.count, = unpack("Q", state, 16)
        self.chain = unpack("8Q", state, 24)
        self.rest = state[88:88 + self.count % 64]

    def digest_so_far(self):
        """Of the bytes that were hashed until then, were they all."""
        assert self.algorithm == 0, "sha256"
        return Sha256(self.chain).finish(self.rest, self.count)


class Map:
    def __init__(self, data):
        assert data[:8] == b"berthmp1"
        version, self.hash_format = unpack("II", data, 8)
        assert version == 1
        self.size, self.attempt, self.flags = unpack("QQI", data, 16)
        self.charged, self.hashed = unpack("QQ", data, 56)
        self.boot, self.digest = text_of(data[72:112]), text_of(data[112:272])
        self.chunks = []
        for at in range(4096, 4096 + 16 * -(-self.size // CHUNK), 16):
            word, _ = unpack("Qq", data, at)
            self.chunks.append({"held": word & 0xffffffff, "generation": word >> 32 & 0xffff, "writing": word >> 48 & 1, "reserved": word >> 49 & 1})
        self.state, newest = None, 0
        for at in (1024, 1304):
            number, count, check = unpack("QQQ", data, at)
            state = data[at + 24:at + 280]
            right = fnv1a(struct.pack("<Q", count)) ^ fnv1a(state) ^ number * 0x9e3779b97f4a7c15 & 0xffffffffffffffff
            if check == right and number > newest:
                assert HashState(state).count == count
                self.state, newest = HashState(state), number


def read_synced(data):
    assert data[:8] == b"berthsy1" and unpack("Q", data, 8)[0] == 1
    assert fnv1a(data[:-8]) == unpack("Q", data, len(data) - 8)[0]
    size, count = unpack("QQ", data, 16)
    state = HashState(data[32:288])
    assert state.count == count
    held = unpack(f"{-(-size // CHUNK)}I", data, 288)
    assert 288 + 4 * len(held) + 8 == len(data)
    return size, state, held


class IndependentReader(Case):
    # S385: docs/cache-format.md
    SIZE = 9 << 20
    STOP = 300_001

    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def leave_half(self, how):
        """A blob of which some came; berth ended by `how`. Gives its digest's hex digits."""
        r = self.fake_registry("--big", self.SIZE, faults=[
            {"method": "GET", "target": "*/blobs/*", "from": 2, "times": 0, "action": "stall_body", "at": self.STOP}])
        manifest = json.loads(self.berth("cat", f"{r.host}/library/big:latest/manifest.json").stdout)
        self.berth("cat", f"{r.host}/library/big:latest/config.json")
        digest = manifest["layers"][0]["digest"]
        running = self.start("cat", f"{r.host}/library/big:latest/layers/00.tar.gz", stdout=subprocess.DEVNULL)
        folder = self.cache / "ingest" / digest.replace(":", "-")
        wait_until(lambda: (folder / "map").exists() and Map((folder / "map").read_bytes()).hashed >= self.STOP, what="the first bytes")
        running.send_signal(how)
        running.communicate(timeout=30)
        return r, digest, folder

    def test_the_map_of_a_partial_blob(self):
        r, digest, folder = self.leave_half(signal.SIGKILL)
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["data", "map"], "no sync point yet")
        found = Map((folder / "map").read_bytes())
        self.assertEqual((found.size, found.digest, found.boot, found.flags), (self.SIZE, digest, self.boot, 0))
        self.assertEqual(found.hash_format, 1)
        self.assertGreater(found.attempt, 0)
        data = (folder / "data").read_bytes()
        self.assertEqual(len(data), self.SIZE)
        self.assertEqual(found.chunks[0]["held"], self.STOP)
        self.assertEqual([c["held"] for c in found.chunks[1:]], [0, 0])
        self.assertEqual((found.chunks[0]["writing"], found.chunks[0]["reserved"]), (0, 1))
        self.assertEqual(found.state.count, found.hashed)
        self.assertEqual(found.state.digest_so_far(), hashlib.sha256(data[:found.hashed]).hexdigest(), "what was saved is a state of SHA-256")
        blocks = (folder / "data").stat().st_blocks * 512
        self.assertGreaterEqual(found.charged, blocks)
        self.assertEqual(unpack("I", (self.cache / "state").read_bytes(), 12)[0], 0, "the last one did not end in good order")

    def test_the_record_of_a_sync_point(self):
        _, _, folder = self.leave_half(signal.SIGTERM)
        size, state, held = read_synced((folder / "synced").read_bytes())
        self.assertEqual((size, held), (self.SIZE, (self.STOP, 0, 0)))
        data = (folder / "data").read_bytes()
        self.assertEqual(state.digest_so_far(), hashlib.sha256(data[:state.count]).hexdigest())

    def test_what_is_complete_and_the_state_that_is_shared(self):
        r = self.registry()
        r.push_image("team/app", ["v1"], [b"layer" * 1000])
        started = time.time()
        self.berth("cp", f"{r.host}/team/app:v1", f"oci:{self.folder}/layout:v1")
        self.assertEqual((self.cache / "berth-cache").read_text(), "berth cache format 1\n")
        self.assertEqual(self.cache.stat().st_mode & 0o7777, 0o700)
        blobs = sorted((self.cache / "blobs/sha256").iterdir())
        self.assertEqual(len(blobs), 3, "manifest, config, layer")
        lines = [line.split(" ") for p in self.cache.glob("journal*") for line in p.read_text().splitlines()]
        for blob in blobs:
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
            self.assertEqual(blob.stat().st_mode & 0o7777, 0o444)
            self.assertIn([self.boot, "sha256:" + blob.name], lines, "trusted without hashing")
            self.assertEqual(blob.stat().st_mtime_ns % 1_000_000, 0, "a whole millisecond")
            self.assertLess(blob.stat().st_mtime, 0x7fff0000)
        state = (self.cache / "state").read_bytes()
        self.assertEqual(state[:8], b"berthst1")
        self.assertEqual(unpack("II", state, 8), (1, 1), "version, and closed in good order")
        self.assertEqual(text_of(state[16:56]), self.boot)
        used, limit = unpack("QQ", state, 56)
        self.assertGreaterEqual(used, sum(b.stat().st_blocks * 512 for b in blobs))
        self.assertEqual(limit, 0)
        self.check_recency(blobs, started)
        self.check_remembered(r.host, blobs, started)
        refs = [m["annotations"]["org.opencontainers.image.ref.name"] for m in json.loads((self.cache / "index.json").read_text())["manifests"]]
        self.assertEqual(refs, [f"{r.host}/team/app:v1"])

    def check_recency(self, blobs, started):
        table = (self.cache / "recency").read_bytes()
        self.assertEqual(table[:8], b"berthrc1")
        self.assertEqual(table[8:64], bytes(56))
        entries = 1 << ((len(table) - 64) // 16).bit_length() - 1
        for blob in blobs:
            key = int(blob.name[:16], 16) | 1
            places = [(key // 2 + i) % entries for i in range(16)]
            found = [when for k, when in (unpack("Qq", table, 64 + 16 * p) for p in places) if k == key]
            self.assertEqual(len(found), 1, blob.name)
            self.assertTrue(started - 1 <= found[0] / MICROSECONDS <= time.time() + 1, "microseconds since 1970")

    def check_remembered(self, host, blobs, started):
        folder = self.cache / "remembered" / urllib.parse.quote(host, safe="-._~")
        records = [line.split(" ") for line in (folder / "team+app.records").read_text().splitlines()]
        def plain(field):
            return urllib.parse.unquote(field)
        tags = [fields for fields in records if fields[0] == "T"]
        self.assertEqual(plain(tags[-1][1]), "v1")
        manifest = self.cache / "blobs/sha256" / plain(tags[-1][2]).removeprefix("sha256:")
        self.assertEqual(int(tags[-1][3]), manifest.stat().st_size)
        for moment in tags[-1][6:8]:
            self.assertTrue(started - 1 <= int(moment) / MICROSECONDS <= time.time() + 1, "microseconds since 1970")
        seen = {plain(fields[1]): fields for fields in records if fields[0] == "S"}
        for blob in blobs:
            self.assertIn("sha256:" + blob.name, seen)
            self.assertEqual(int(seen["sha256:" + blob.name][2]), blob.stat().st_size)
            self.assertTrue(started - 1 <= int(seen["sha256:" + blob.name][4]) / MICROSECONDS <= time.time() + 1)
        for line in (folder / "+.list").read_text().splitlines()[:1] if (folder / "+.list").exists() else []:
            self.assertRegex(line, re.compile(r"^berth-list 1 \d{16}$"))


if __name__ == "__main__":
    unittest.main()
