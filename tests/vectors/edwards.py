"""Ed25519 arithmetic in the open, for vectors only: signatures that no honest signer would make."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def decode_x(y: int, odd: int) -> int | None:
    """The x of a point with this y, or None when there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return x if x % 2 == odd else (P - x) % P


def add(a: Point, b: Point) -> Point:
    """The sum of two points."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def multiply(scalar: int, point: Point) -> Point:
    """The scalar multiple of a point."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def encode(point: Point) -> bytes:
    """The canonical 32 bytes of a point."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def torsion() -> Point:
    """A point of order eight."""
    y = 2
    while True:
        x = decode_x(y, 0)
        if x is not None:
            point = multiply(ORDER, (x, y))
            if multiply(4, point) != IDENTITY:
                return point
        y += 1


def challenge(r: bytes, public: bytes, message: bytes) -> int:
    """The hash k of a signature, reduced."""
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ORDER


def forge(public: bytes, r: bytes, r_scalar: int, scalar: int, message: bytes) -> bytes:
    """R ‖ S with S = r + k·a, for whatever encodings of R and A are given."""
    s = (r_scalar + challenge(r, public, message) * scalar) % ORDER
    return r + s.to_bytes(32, "little")


BASE: Point = (decode_x(4 * pow(5, -1, P) % P, 0) or 0, 4 * pow(5, -1, P) % P)
