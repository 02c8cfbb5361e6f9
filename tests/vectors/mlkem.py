"""ML-KEM-768 encapsulation from given coins (FIPS 203, algorithms 14 and 17), for vectors only.

Slow and not constant in time. The libraries draw the coins themselves, which no vector could repeat.
"""

from __future__ import annotations

import hashlib

Q = 3329
RANK = 3
DU, DV = 10, 4


def _reverse7(value: int) -> int:
    return int(f"{value:07b}"[::-1], 2)


ZETAS = [pow(17, _reverse7(k), Q) for k in range(128)]
GAMMAS = [pow(17, 2 * _reverse7(k) + 1, Q) for k in range(128)]


def encapsulate(public: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """The 32-byte secret and the 1088-byte ciphertext for a 1184-byte key and 32 bytes of coins."""
    both = hashlib.sha3_512(coins + hashlib.sha3_256(public).digest()).digest()
    return both[:32], _encrypt(public, coins, both[32:])


def _encrypt(public: bytes, message: bytes, seed: bytes) -> bytes:
    t = [_unpack(public[384 * i : 384 * (i + 1)], 12) for i in range(RANK)]
    rho = public[384 * RANK :]
    y = [_ntt(_noise(seed, nonce)) for nonce in range(RANK)]
    u = []
    for i in range(RANK):
        total = [0] * 256
        for j in range(RANK):  # the transposed matrix: row and column change places
            total = _add(total, _multiply(_uniform(rho + bytes((i, j))), y[j]))
        u.append(_add(_inverse(total), _noise(seed, RANK + i)))
    total = [0] * 256
    for i in range(RANK):
        total = _add(total, _multiply(t[i], y[i]))
    bits = [(Q + 1) // 2 * bit for bit in _unpack(message, 1)]
    v = _add(_add(_inverse(total), _noise(seed, 2 * RANK)), bits)
    return b"".join(_pack(_compress(p, DU), DU) for p in u) + _pack(_compress(v, DV), DV)


def _uniform(seed: bytes) -> list[int]:
    stream, out, at = hashlib.shake_128(seed).digest(168 * 12), [], 0
    while len(out) < 256:
        a, b, c = stream[at : at + 3]
        at += 3
        for value in (a + 256 * (b % 16), b // 16 + 16 * c):
            if value < Q and len(out) < 256:
                out.append(value)
    return out


def _noise(seed: bytes, nonce: int) -> list[int]:
    bits = _unpack(hashlib.shake_256(seed + bytes((nonce,))).digest(128), 1)
    return [(sum(bits[4 * i : 4 * i + 2]) - sum(bits[4 * i + 2 : 4 * i + 4])) % Q for i in range(256)]


def _ntt(f: list[int]) -> list[int]:
    f, k, step = list(f), 1, 128
    while step >= 2:
        for start in range(0, 256, 2 * step):
            for j in range(start, start + step):
                t = ZETAS[k] * f[j + step] % Q
                f[j], f[j + step] = (f[j] + t) % Q, (f[j] - t) % Q
            k += 1
        step //= 2
    return f


def _inverse(f: list[int]) -> list[int]:
    f, k, step = list(f), 127, 2
    while step <= 128:
        for start in range(0, 256, 2 * step):
            for j in range(start, start + step):
                t = f[j]
                f[j], f[j + step] = (t + f[j + step]) % Q, ZETAS[k] * (f[j + step] - t) % Q
            k -= 1
        step *= 2
    return [value * 3303 % Q for value in f]


def _multiply(f: list[int], g: list[int]) -> list[int]:
    out = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def _add(f: list[int], g: list[int]) -> list[int]:
    return [(a + b) % Q for a, b in zip(f, g, strict=True)]


def _compress(f: list[int], bits: int) -> list[int]:
    return [((value << bits) + Q // 2) // Q % (1 << bits) for value in f]


def _pack(f: list[int], bits: int) -> bytes:
    total = sum(value << bits * i for i, value in enumerate(f))
    return total.to_bytes(len(f) * bits // 8, "little")


def _unpack(data: bytes, bits: int) -> list[int]:
    total = int.from_bytes(data, "little")
    return [total >> bits * i & ((1 << bits) - 1) for i in range(len(data) * 8 // bits)]
