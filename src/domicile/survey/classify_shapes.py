"""The shapes that values have, as patterns of hyperscan. Data only.

Byte patterns over UTF-8: `\\x80-\\xff` stands for letters outside ASCII. `\\x1e` is the separator
that `classify_values.py` puts between values.
"""

from __future__ import annotations

from typing import Final

_LETTER = r"[A-Za-z\x80-\xff]"
_CAPITAL = r"[A-Z\x80-\xff]"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PARTICLE = "van|de|der|den|von|la|del|di|da|el|bin|y"
_FILES = "jpe?g|png|gif|webp|mp[34]|pdf|json|xml|html?|csv|txt|zip|m3u8|torrent|vtt|js"
_HEX = "[0-9a-fA-F]"
_SEXES = (
    "[MFVXmfvx]|[Mm]ale|[Ff]emale|MALE|FEMALE|[Mm]an|[Vv]rouw|[Hh]omme|[Ff]emme|[Hh]ombre|[Mm]ujer|"
    "[Mm]ännlich|[Ww]eiblich|[Nn]on-?[Bb]inary|[Oo]ther|[Dd]ivers|[Uu]nknown"
)

WHOLE: Final[dict[str, str]] = {
    "email": r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}",
    "uuid": rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "ipv4": rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:/\d\d?|:\d{{2,5}})?",
    "ipv6": rf"{_HEX}{{0,4}}(?::{_HEX}{{0,4}}){{2,7}}(?:/\d{{1,3}})?",
    "mac": rf"{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}",
    "url": r"(?:https?|ftp|acct|mailto|magnet):[^\s\x1e]+",
    "path": rf"[\w./-]+\.(?:{_FILES})",
    "iban": r"[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}",
    "digits": r"-?\d+",
    "decimal": r"-?\d+[.,]\d+",
    "phone": r"(?:\+|00)?[\d(][\d ().\/-]{5,18}\d(?: ?(?:x|ext\.? ?)\d{1,6})?",
    "date": r"(?:\d{4}-\d\d-\d\d|\d\d?[./-]\d\d?[./-]\d{4})(?:[T ]\d\d:\d\d[0-9:.+Z-]*)?",
    "clock": r"\d\d?:\d\d(?::\d\d)?",
    "hex": rf"(?:{_HEX}{{32}}|{_HEX}{{40}}|{_HEX}{{56}}|{_HEX}{{64}}|{_HEX}{{96}}|{_HEX}{{128}})",
    "password": r"(?:\$2[abxy]?\$\d\d\$|\$argon2(?:id|i|d)\$|\$[156y]\$|\$scrypt\$|\$7\$|pbkdf2_|"
    r"pbkdf2:|scrypt:|\{S?SHA(?:256|512)?\}|sha(?:1|256|512)\$|\$pbkdf2|\$P\$)[^\s\x1e]{8,}",
    "token": r"(?:eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|gh[pousr]_[A-Za-z0-9]{20,}|"
    r"glpat-[\w-]{20,}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|xox[abprs]-[\w-]{10,}|"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY[^\x1e]*)",
    "coordinates": r"(?:-?\d{1,2}\.\d{2,}\s*[,; ]\s*-?\d{1,3}\.\d{2,}|"
    r"(?:SRID=\d+;)?POINT ?Z? ?\([^\x1e]{3,60}\))",
    "fullname": rf"{_CAPITAL}{_LETTER}*[a-z\x80-\xff.]"
    rf"(?:[ '-](?:{_CAPITAL}{_LETTER}*\.?|{_PARTICLE})){{1,5}}",
    "word": rf"{_LETTER}+(?:['-]{_LETTER}+)*",
    "code": r"[A-Za-z0-9]{1,20}(?:[_.:/-][A-Za-z0-9]+){0,6}",
    "json": r"(?:\{\s*(?:\"|\})|\[\s*(?:\{|\"|\[|\]|-?\d))[^\x1e]*",
    "agent": r"(?:Mozilla/\d|Opera/\d|Dalvik/|okhttp/|curl/)[^\x1e]*",
    "gender": f"(?:{_SEXES})",
    "flag": r"(?:t|f|true|false|True|False|yes|no|Y|N|y|n|0|1|ja|nee|nein|oui|non)",
}
"""What a value can be as a whole; a value may have several shapes."""

WITHIN: Final[dict[str, str]] = {
    "has_email": r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]{1,63}\.[A-Za-z]{2}",
    "has_phone": r"[^\w.]\+[1-9]\d?(?:[ ().-]{0,2}\d){8}",
    "has_ipv4": rf"[^\d.\w]{_OCTET}(?:\.{_OCTET}){{3}}[^\d.\w]",
    "has_iban": r"[^A-Z0-9][A-Z]{2}\d\d(?: ?[A-Z]{4})(?: ?\d){8}",
    "has_ssn": r"[^\d-][0-8]\d\d-\d\d-\d{4}[^\d-]",
    "has_secret": r"(?:\$2[aby]\$\d\d\$[./A-Za-z0-9]{22}|eyJ[A-Za-z0-9_-]{8,64}\.eyJ|"
    r"PRIVATE KEY-----)",
}
"""People's data anywhere in a longer value."""
