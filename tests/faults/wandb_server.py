"""A W&B server on this machine that behaves as a test wants it to."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

Behaviour = Literal["works", "refuses", "hangs"]


class Received(NamedTuple):
    """A request: its headers without the key, and its body, unpacked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class WandbServer(ThreadingHTTPServer):
    """Knows as much of W&B's protocol as a run needs to begin, to log and to commit artifacts.

    Attributes:
        behaviour: to every request; ``refuses`` answers with an error.
        asked: paths of requests and names of queries.
        received: whole requests.
        refused: part of the paths that are answered with an error; none where empty.
        held: part of the paths that are never answered; none where empty.
        behaviour_after: a query, and the behaviour that begins with it.
        has_features: it says which features it has, as wandb.ai does and older servers do not.
    """

    daemon_threads = True

    def __init__(self, behaviour: Behaviour = "works") -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.received: list[Received] = []
        self.refused = ""
        self.held = ""
        self.behaviour_after: tuple[str, Behaviour] | None = None
        self.has_features = False
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def everything(self) -> bytes:
        """All that was sent: addresses, headers and bodies."""
        parts = [
            b"\n".join([unquote(each.path).encode(), *(v.encode() for v in each.headers.values()), each.body])
            for each in self.received
        ]
        return b"\n".join(parts)

    def queries(self, name: str) -> list[dict[str, Any]]:
        """The variables of all queries of a name."""
        asked = [json.loads(each.body) for each in self.received if each.path == "/graphql"]
        return [query["variables"] for query in asked if query.get("operationName") == name]

    def uploads(self) -> dict[str, bytes]:
        """The content of uploaded files by their names."""
        return {unquote(each.path)[1:]: each.body for each in self.received if each.method == "PUT"}

    def streamed(self, file: str) -> list[dict[str, Any]]:
        """The lines of a file that grows, such as ``wandb-history.jsonl``."""
        bodies = [json.loads(each.body) for each in self.received if each.path.endswith("/file_stream")]
        chunks = [body["files"][file]["content"] for body in bodies if file in body.get("files", {})]
        return [json.loads(line) for chunk in chunks for line in chunk]

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of each run by its id. A row that comes again takes the place of the earlier one."""
        rows: dict[str, dict[int, Any]] = {}
        for each in self.received:
            if not each.path.endswith("/file_stream"):
                continue
            own = rows.setdefault(each.path.split("/")[-2], {})
            chunk = json.loads(each.body).get("files", {}).get("wandb-history.jsonl")
            for number, line in enumerate(chunk["content"] if chunk else ()):
                own[chunk["offset"] + number] = json.loads(line)
        return {run: [own[number] for number in sorted(own)] for run, own in rows.items()}

    def ended_with(self) -> int:
        """The exit code of the run that was sent."""
        bodies = [json.loads(each.body) for each in self.received if each.path.endswith("/file_stream")]
        (code,) = (body["exitcode"] for body in bodies if body.get("complete"))
        return code

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that has got what it wanted
            super().handle_error(request, client_address)

    def go_away(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        name, given = query.get("operationName"), query.get("variables") or {}
        if name == "UpsertBucket":
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "lab"}}
            run = {"id": "r", "name": given["name"], "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": run | {"historyLineCount": 0}, "inserted": True}}
        if name == "RunResumeStatus":
            return {"model": self._resume_status(given["name"])}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if name == "Viewer":
            viewer = {
                "id": "v",
                "entity": "lab",
                "username": "member",
                "email": "",
                "flags": "{}",
                "teams": None,
            }
            return {"viewer": viewer, "serverInfo": None}
        return self._answer_about_artifacts(name, given.get("input") or given)

    def _resume_status(self, run: str) -> dict[str, Any] | None:
        """What it has of a run that goes on; None of one that it does not know."""
        if run not in [begun["name"] for begun in self.queries("UpsertBucket")]:
            return None
        rows = [json.dumps(row) for row in self.history().get(run, [])]
        bucket = {
            "id": "r", "name": run, "displayName": run, "summaryMetrics": "{}", "config": "{}", "tags": [],
            "group": None, "jobType": None, "notes": None, "logLineCount": 0, "eventsLineCount": 0,
            "historyLineCount": len(rows), "historyTail": json.dumps(rows[-1:]), "eventsTail": "[]",
            "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip
        return {"id": "p", "name": "depression-vr", "entity": {"id": "e", "name": "lab"}, "bucket": bucket}

    def _answer_about_artifacts(self, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
        if name == "CreateArtifact":
            artifact = {"id": given["clientID"], "state": "PENDING", "digest": given["digest"]}
            return {"createArtifact": {"artifact": artifact | {"artifactSequence": {"latestArtifact": None}}}}
        if name in ("CreateArtifactManifest", "UpdateArtifactManifest"):
            owner = given.get("artifactID") or given["artifactManifestID"]
            file = {"uploadUrl": f"{self.url}/manifests/{owner}", "uploadHeaders": []}
            answer = {"artifactManifest": {"id": owner, "file": file}}
            return {"createArtifactManifest": answer, "updateArtifactManifest": answer}
        if name == "CreateArtifactFiles":
            files = [self._place_for(file) for file in given["artifactFiles"]]
            return {"createArtifactFiles": {"files": {"edges": [{"node": file} for file in files]}}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}
        if name == "UseArtifact":
            return {"useArtifact": {"artifact": {"id": given["artifactID"]}}}
        features: dict[str, Any] | None = {"features": []} if self.has_features else None
        return {"model": None, "project": None, "serverInfo": features}

    def _place_for(self, file: dict[str, Any]) -> dict[str, Any]:
        path = f"artifacts/{file['artifactID']}/{file['name']}"
        place = {"uploadUrl": f"{self.url}/{path}", "uploadHeaders": [], "uploadMultipartUrls": None}
        return {"storagePath": path, "name": file["name"], "artifact": {"id": file["artifactID"]}} | place


class _Request(BaseHTTPRequestHandler):
    server: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        self.server.received.append(Received(self.command, self.path, headers, body))
        query = json.loads(body) if self.path == "/graphql" else None
        self.server.asked.append(self.path if query is None else query.get("operationName", ""))
        if self.server.behaviour_after and self.server.behaviour_after[0] == self.server.asked[-1]:
            self.server.behaviour = self.server.behaviour_after[1]
            self.server.behaviour_after = None
        is_held = self.server.held and self.server.held in self.path
        if self.server.behaviour == "hangs" or is_held:
            self.server.released.wait()
            return
        is_refused = self.server.refused and self.server.refused in self.path
        if self.server.behaviour == "refuses" or is_refused:
            self.send_error(500)
            return
        answer = {} if query is None else {"data": self.server.answer(query)}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815
