"""The key that seals tokens: AES-256-GCM (NIST SP 800-38D)."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.secret import Secret

_NONCE: Final = 12
"""Bytes: 96 random bits."""

_TAG: Final = 16
"""Bytes that AES-GCM adds."""


class SealingKey:
    """Implements `Key`. `key` is 32 bytes in hexadecimal digits."""

    def __init__(self, key: Secret) -> None:
        raw = bytes.fromhex(key.reveal())
        self.id: Final = hashlib.sha256(b"zoom-gateway sealing key\n" + raw).hexdigest()[:8]
        self._cipher = AESGCM(raw)

    def seal(self, value: str, place: bytes) -> str:
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, value.encode(), place)
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, text: str, place: bytes) -> str | None:
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if len(sealed) < _NONCE + _TAG:
                return None
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place).decode()
        except (ValueError, InvalidTag):
            return None
