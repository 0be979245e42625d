"""A W&B server with a project: its reports and its views of the workspace."""

from typing import Any

from wandb_server import Behaviour, WandbServer


class ProjectServer(WandbServer):
    """Keeps what is saved as W&B's does.

    Attributes:
        projects: names of the projects that there are.
        views: reports and views of the workspace by their ids, as they were saved last.
    """

    def __init__(self, behaviour: Behaviour = "works") -> None:
        self.projects = ["depression-vr"]
        self.views: dict[str, dict[str, Any]] = {}
        super().__init__(behaviour)

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        text, given = query["query"], query.get("variables") or {}
        if " viewer {" in " ".join(text.split()):
            return {"viewer": {"id": "u", "entity": "lab", "username": "u", "email": None, "flags": None}}
        if "models(" in text:
            return {"models": self._project_list()}
        if "upsertView(" in text:
            return {"upsertView": {"view": self._save(given), "inserted": "id" not in given}}
        if "view(id: $reportId)" in text:
            return {"view": self.views[given["reportId"]]}
        if "allViews(" in text:
            return {"project": self._views(given["entity"], given["project"], given["viewType"])}
        return super().answer(query)

    def _save(self, given: dict[str, Any]) -> dict[str, Any]:
        view = given | {"id": given.get("id") or f"Vmlldzo{len(self.views):05}"}
        view["project"] = {"id": "p", "name": given["projectName"], "entityName": given["entityName"]}
        self.views[view["id"]] = view
        return view

    def _project_list(self) -> dict[str, Any]:
        about = {"entityName": "lab", "createdAt": "2026-01-01T00:00:00Z", "isBenchmark": False, "user": None}
        nodes = [about | {"id": name, "name": name} for name in self.projects]
        edges = [{"node": node, "cursor": node["id"]} for node in nodes]
        return {"edges": edges, "pageInfo": {"hasNextPage": False, "endCursor": None}}

    def _views(self, entity: str, project: str, kind: str) -> dict[str, Any] | None:
        if project not in self.projects:
            return None
        edges = [{"node": view, "cursor": id_} for id_, view in self.views.items() if view["type"] == kind]
        return {"allViews": {"edges": edges, "pageInfo": {"hasNextPage": False, "endCursor": None}}}
