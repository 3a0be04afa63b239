"""Apply to become a partner, from a file: begin, fill in, upload, submit, name the amount of the deposit, see where to
sign, and collect the access.

It needs nothing but Python. What it knows of an application (id and token) it keeps in a file, with which it goes on
where it was left, also when it was cut off, or when something was returned: correct the file, and send it again with
`--from`. Whoever has the file with the token is the applicant. Papers are looked for by the name of what is asked, such
as `papers/business_licence.pdf`; where there is none, an empty page is sent, which reviewers would send back.

    python examples/applicant/apply.py --gateway http://127.0.0.1:8080 --from examples/applicant/application.json
    python examples/applicant/apply.py --gateway http://127.0.0.1:8080 --amount 37
    python examples/applicant/apply.py --gateway http://127.0.0.1:8080                       # what comes next
    python examples/applicant/apply.py --gateway http://127.0.0.1:8080 --collect access      # once, when it is signed
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

KINDS = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
OVER = ("active", "rejected", "withdrawn", "expired")
EMPTY_PAGE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \n"
    b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n"
)


class Refused(Exception):
    """What the gateway says is wrong, with the remedy."""


def call(url: str, method: str, token: str | None, body: bytes | None, kind: str = "application/json") -> Any:
    """Sends again what is answered with 429 or 503, under the same key, so that it counts once."""
    headers = {"Content-Type": kind, "Idempotency-Key": uuid.uuid4().hex}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    while True:
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in (429, 503):
                at = f" ({problem['field']})" if "field" in problem else ""
                raise Refused(f"{problem['detail']}{at} {problem['remedy']}") from None
            time.sleep(float(error.headers.get("Retry-After", 1)))


def send(url: str, method: str, token: str | None, body: Any) -> Any:
    return call(url, method, token, json.dumps(body).encode())


def paper(folder: Path, item: str) -> tuple[bytes, str]:
    for ending, kind in KINDS.items():
        path = folder / f"{item}{ending}"
        if path.exists():
            return path.read_bytes(), kind
    return EMPTY_PAGE, "application/pdf"


def begun(gateway: str, known: dict[str, Any], kept: Path) -> Any:
    """The application that is kept, as long as it can be changed, else a new one: nobody gets its token again."""
    if kept.exists():
        mine = json.loads(kept.read_text())
        seen = call(f"{gateway}/v1/applications/{mine['id']}", "GET", mine["token"], None)
        if seen["stage"] in ("draft", "revision"):
            print(f"{mine['id']} goes on with what the file says")
            return {**mine, "application": seen}
        if seen["stage"] not in OVER:
            raise Refused(
                f"{kept} has {mine['id']}, which is at the stage {seen['stage']}: nothing can be changed there."
                " For a further application name another file with --kept."
            )
    new = send(f"{gateway}/v1/applications", "POST", None, known["apply"])
    with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"id": new["id"], "token": new["token"]}, file)
    print(f"{new['id']}: its token is in {kept}")
    return new


def apply(gateway: str, source: Path, kept: Path) -> None:
    """Everything is sent: what is there already, and was not returned, stays as it is."""
    known = json.loads(source.read_text())
    mine = begun(gateway, known, kept)
    path, token, items = f"{gateway}/v1/applications/{mine['id']}", mine["token"], mine["application"]["items"]
    declared = [item["id"] for item in items if item["kind"] == "declaration"]
    send(f"{path}/fields", "PUT", token, {**known["fields"], "declarations": declared})
    for item in items:
        if item["kind"] == "document" and item["id"] in known["facts"]:
            content, kind = paper(source.parent / "papers", item["id"])
            call(f"{path}/documents/{item['id']}", "PUT", token, content, kind)
            send(f"{path}/documents/{item['id']}/facts", "PUT", token, known["facts"][item["id"]])
    send(f"{path}/submit", "POST", token, {})


def private(path: Path, text: str) -> None:
    """For its owner only, and never over what is there."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def collect(gateway: str, kept: dict[str, str], folder: Path) -> None:
    """The access is shown this once, and kept nowhere else."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise Refused(f"{folder} is there already: name a new folder.") from None
    made = send(f"{gateway}/v1/applications/{kept['id']}/credentials", "POST", kept["token"], {})
    private(folder / "key", made["key"])
    private(folder / "partner.creds", made["credentials"]["creds"])
    streams = " ".join(made["credentials"]["streams"])
    print(f"{made['partner']}: key and credentials are in {folder}; streams: {streams}")


def show(gateway: str, kept: dict[str, str]) -> None:
    path = f"{gateway}/v1/applications/{kept['id']}"
    seen = call(path, "GET", kept["token"], None)
    because = f", because of {', '.join(seen['reasons'])}" if seen["reasons"] else ""
    print(f"{seen['id']}: {seen['stage']}, revision {seen['revision']}{because}")
    if seen["comment"]:
        print(f"  {seen['comment']}")
    if seen["turn"]:
        whom = "you, the applicant," if seen["turn"]["who"] == "applicant" else f"the {seen['turn']['who']}"
        print(f"  it waits for {whom} until {seen['turn']['due']}")
    if seen["stage"] == "agreement":
        for signer in call(f"{path}/agreement", "GET", kept["token"], None)["signers"]:
            print(f"  {signer['name']}: {signer['state']}" + (f", signs at {signer['link']}" if signer["link"] else ""))
    if seen["stage"] == "testing":
        print("  a test event waits on your stream: collect the access (--collect) and acknowledge it")
    if seen["deposit"]:
        tries = f", {seen['deposit']['tries_left']} tries left" if seen["deposit"]["state"] == "sent" else ""
        print(f"  deposit: {seen['deposit']['state']}{tries}")
    for item in seen["items"]:
        if item["comment"] and item["state"] == "returned":
            print(f"  {item['id']} was returned: {item['comment']}")
        for result in item["results"]:
            if result["verdict"] != "passed" and item["state"] not in ("accepted", "waived"):
                print(f"  {item['id']}: {result['words']['zh']} {result['words']['en']}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Apply to become a partner.")
    parser.add_argument("--gateway", required=True, help="address of the HTTP API")
    parser.add_argument("--from", dest="source", type=Path, help="begin with what this file says, or go on with it")
    parser.add_argument("--kept", type=Path, default=Path("application.token.json"), help="id and token")
    parser.add_argument("--amount", type=int, help="of the deposit, in fen, as the account's statement shows it")
    parser.add_argument("--collect", type=Path, help="new folder for the key and the credentials, shown once")
    o = parser.parse_args()
    try:
        if o.source is not None:
            apply(o.gateway, o.source, o.kept)
        if not o.kept.exists():
            raise Refused(
                f"There is no {o.kept}: begin with --from FILE, or name the file of an application with --kept."
            )
        kept = json.loads(o.kept.read_text())
        if o.amount is not None:
            path = f"{o.gateway}/v1/applications/{kept['id']}/deposit"
            send(path, "POST", kept["token"], {"amount": o.amount})
        if o.collect is not None:
            collect(o.gateway, kept, o.collect)
        show(o.gateway, kept)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
