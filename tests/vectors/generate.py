"""Writes the vectors both implementations of the protocol must reproduce: `python generate.py [--check]`.

Everything is derived from labels, so a run writes the same bytes as the last one. Bytes are hex.
With --check nothing is written; the exit status tells whether the files are what would be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import account_vectors
import board_vectors
import content_vectors
import directory_vectors
import first_vectors
import key_vectors
import mail_vectors
import markdown_vectors
import picture_vectors
import ratchet_vectors
import roster_vectors
import sender_key_vectors
import session_vectors
import wire_vectors
from people import Vectors

HERE = Path(__file__).parent

FILES: dict[str, Callable[[], Vectors]] = {
    "codec": wire_vectors.codec_vectors,
    "onion": key_vectors.onion_vectors,
    "signatures": key_vectors.signature_vectors,
    "keys": key_vectors.key_vectors,
    "envelope": mail_vectors.envelope_vectors,
    "mailbox": mail_vectors.mailbox_vectors,
    "work": wire_vectors.work_vectors,
    "stream": wire_vectors.stream_vectors,
    "passphrase": account_vectors.passphrase_vectors,
    "backup_code": account_vectors.backup_code_vectors,
    "link": account_vectors.link_vectors,
    "record": account_vectors.record_vectors,
    "safety": account_vectors.safety_vectors,
    "prekeys": directory_vectors.prekey_vectors,
    "certificate": directory_vectors.certificate_vectors,
    "transparency": directory_vectors.transparency_vectors,
    "pqxdh": session_vectors.pqxdh_vectors,
    "ratchet": ratchet_vectors.ratchet_vectors,
    "first": first_vectors.first_vectors,
    "peer": session_vectors.peer_vectors,
    "signals": session_vectors.signal_vectors,
    "content": content_vectors.content_vectors,
    "picture": picture_vectors.picture_vectors,
    "attachment": content_vectors.attachment_vectors,
    "channel_content": content_vectors.channel_content_vectors,
    "roster": roster_vectors.roster_vectors,
    "sender_keys": sender_key_vectors.sender_key_vectors,
    "board": board_vectors.board_vectors,
    "markdown": markdown_vectors.markdown_vectors,
}


def main() -> int:
    """Write every file, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    different = []
    for name, make in FILES.items():
        path = HERE / f"{name}.json"
        text = json.dumps(make(), indent=1, ensure_ascii=True) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            different.append(path.name)
    if different:
        sys.stderr.write(f"not as generated: {', '.join(different)}\n")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
