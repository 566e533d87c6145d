"""Web servers' side: nginx's `auth_request`, and `forward_auth` of Caddy.

The web server checks the device's client certificate and says in a header which device it is for;
whatever the client itself sent under that name is overwritten. 2xx lets the request through, 403
does not, and when nobody answers, the web server refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cryptography.x509 import Name
from cryptography.x509.oid import NameOID

from domicile.devices.table import Request

_NAMES = {"emailAddress": NameOID.EMAIL_ADDRESS, "serialNumber": NameOID.SERIAL_NUMBER}
"""What OpenSSL calls attributes that RFC 4514 has no short name for."""


def parse(headers: Mapping[bytes, bytes]) -> Request:
    """A request from the headers that the web server sets.

    `X-Client-Verify` must be SUCCESS; `X-Client-DN` is the certificate's subject (RFC 2253), whose
    CN is the device; `X-Account` may be who is logged in; `X-Service` what is asked for.
    """

    def header(name: bytes) -> str:
        text = headers.get(name, b"")
        try:
            return text.decode().strip()
        except UnicodeDecodeError:  # some servers send names in ISO 8859-1 (RFC 9110, 5.5)
            return text.decode("latin-1").strip()

    device = ""
    if header(b"x-client-verify") == "SUCCESS":
        device = common_name(header(b"x-client-dn"))
    return Request(device, header(b"x-account"), header(b"x-service") or "web")


@lru_cache(maxsize=65_536)
def common_name(subject: str) -> str:
    """The one CN of a subject (RFC 4514, which replaced RFC 2253); empty when there is not one."""
    try:
        found = Name.from_rfc4514_string(subject, _NAMES).get_attributes_for_oid(
            NameOID.COMMON_NAME
        )
    except ValueError:
        return ""
    return str(found[0].value) if len(found) == 1 else ""


def nginx(url: str, key: str, service: str = "web") -> str:
    """What goes into nginx's `server` block, beside `ssl_client_certificate`."""
    return f"""\
# Access by device: a client certificate for each, its CN the device's id.
ssl_verify_client optional;
location = /_device {{
    internal;
    proxy_pass {url}/forward;
    proxy_pass_request_body off;
    proxy_connect_timeout 2s;
    proxy_read_timeout 2s;
    proxy_set_header Content-Length "";
    proxy_set_header X-API-Key "{key}";
    proxy_set_header X-Client-Verify $ssl_client_verify;
    proxy_set_header X-Client-DN $ssl_client_s_dn;
    proxy_set_header X-Account $remote_user;
    proxy_set_header X-Service {service};
    proxy_set_header Accept-Language $http_accept_language;
}}
auth_request /_device;
auth_request_set $device_said $upstream_http_x_said;
error_page 403 = @device_refused;
error_page 500 = @device_undecided;  # nobody answered: closed
location @device_refused {{
    internal;
    auth_request off;
    default_type "text/plain; charset=utf-8";
    return 403 "$device_said\\n";
}}
location @device_undecided {{
    internal;
    auth_request off;
    default_type "text/plain; charset=utf-8";
    return 503 "Access cannot be decided at the moment. Try again later.\\n";
}}
"""


def caddy(url: str, key: str, service: str = "web") -> str:
    """What goes into a site of Caddy 2.5 or newer, beside `tls`; its `forward_auth` is closed
    when nobody answers (502), and what it is answered goes to the client as it is."""
    return f"""\
# Access by device: a client certificate for each, its CN the device's id. In the site's tls:
#     client_auth {{
#         mode verify_if_given
#         trusted_ca_cert_file /etc/caddy/devices-ca.pem
#     }}
forward_auth {url} {{
    uri /forward
    header_up X-API-Key "{key}"
    # A certificate that is given and does not verify ends the handshake; without one the name
    # below stays a placeholder, which names no device.
    header_up X-Client-Verify SUCCESS
    header_up X-Client-DN {{http.request.tls.client.subject}}
    header_up X-Service {service}
    header_up -X-Account
    transport http {{
        dial_timeout 2s
        response_header_timeout 2s
    }}
}}
"""
