"""An OCI registry in memory with the referrers API, one referrer a page. Arguments: the address to listen on; perhaps a
NAME:PASSWORD that every request must have.

It is there for what `crane registry serve` does not have. It answers OCI-Subject, so that clients write no fallback tag.
GET /peak answers how many requests were on their way at the same time since the last GET /peak, and GET /listings how often
referrers were listed since the last GET /listings.
"""

import base64
import hashlib
import json
import re
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BLOBS = {}
MANIFESTS = {}
UPLOADS = {}
REQUESTS = {"now": 0, "peak": 0, "listings": 0}
LOCK = threading.Lock()
INDEX = "application/vnd.oci.image.index.v1+json"
AUTHORIZATION = "Basic " + base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        # Before the client can know that this request has ended, and send the next.
        with LOCK:
            REQUESTS["now"] -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def missing(self, code):
        self.answer(404, json.dumps({"errors": [{"code": code}]}).encode(), Content_Type="application/json")

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def route(self):
        with LOCK:
            REQUESTS["now"] += 1
            REQUESTS["peak"] = max(REQUESTS["peak"], REQUESTS["now"])
        if AUTHORIZATION and self.headers.get("Authorization") != AUTHORIZATION:
            self.body()
            return self.answer(401, WWW_Authenticate='Basic realm="registry"')
        url = urlsplit(self.path)
        if (name := url.path[1:]) in ("peak", "listings"):
            with LOCK:
                count, REQUESTS[name] = REQUESTS[name], 0
            return self.answer(200, str(count).encode())
        if url.path.rstrip("/") == "/v2":
            return self.answer(200)
        match = re.fullmatch(r"/v2/(.+?)/(manifests|blobs/uploads|blobs|referrers)/?(.*)", url.path)
        if not match:
            return self.missing("NAME_UNKNOWN")
        name, kind, rest = match.groups()
        return getattr(self, kind.replace("/", "_"))(name, rest, parse_qs(url.query))

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = route

    def blobs(self, _name, rest, _query):
        data = BLOBS.get(rest)
        return self.missing("BLOB_UNKNOWN") if data is None else self.answer(200, data, Docker_Content_Digest=rest)

    def blobs_uploads(self, name, rest, query):
        data = self.body()
        upload = rest or str(uuid.uuid4())
        UPLOADS[upload] = UPLOADS.get(upload, b"") + data
        if "digest" not in query:
            return self.answer(202, Location=f"/v2/{name}/blobs/uploads/{upload}", Range=f"0-{len(UPLOADS[upload])}")
        data = UPLOADS.pop(upload)
        if digest(data) != query["digest"][0]:
            return self.answer(400)
        BLOBS[digest(data)] = data
        return self.answer(201, Location=f"/v2/{name}/blobs/{digest(data)}", Docker_Content_Digest=digest(data))

    def manifests(self, name, rest, _query):
        if self.command == "PUT":
            data = self.body()
            kind = self.headers["Content-Type"]
            for key in (rest, digest(data)):
                MANIFESTS[name, key] = (kind, data)
            subject = json.loads(data).get("subject", {}).get("digest")
            headers = {"OCI_Subject": subject} if subject else {}
            return self.answer(201, Docker_Content_Digest=digest(data), Location=self.path, **headers)
        if (name, rest) not in MANIFESTS:
            known = any(repository == name for repository, _ in MANIFESTS)
            return self.missing("MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN")
        kind, data = MANIFESTS[name, rest]
        return self.answer(200, data, Content_Type=kind, Docker_Content_Digest=digest(data))

    def referrers(self, name, rest, query):
        with LOCK:
            REQUESTS["listings"] += 1
        # Long enough for another request to come meanwhile.
        time.sleep(0.005)
        found = {}
        for (repository, key), (kind, data) in list(MANIFESTS.items()):
            manifest = json.loads(data)
            if repository == name and key == digest(data) and manifest.get("subject", {}).get("digest") == rest:
                artifact = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
                found[key] = {"mediaType": kind, "digest": key, "size": len(data), "artifactType": artifact}
        listed = [found[key] for key in sorted(found)]
        page = int(query.get("page", ["0"])[0])
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed[page : page + 1]}).encode()
        headers = {}
        if page + 1 < len(listed):
            headers["Link"] = f'<{urlsplit(self.path).path}?page={page + 1}>; rel="next"'
        return self.answer(200, body, Content_Type=INDEX, **headers)


host, port = sys.argv[1].rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Handler)
print("serving on", sys.argv[1], flush=True)
server.serve_forever()
