"""The colder routes and the site, through Quart. Loaded after the first answer (`app.Application.load`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from appliance.api.app import body_headers, name_of
from appliance.api.call import Headers, Visit
from appliance.api.gate import SAFE_METHODS, Gate
from appliance.api.openapi import document
from appliance.api.plain.pages import PAGES
from appliance.api.plain.row import PageRow
from appliance.api.plain.site import PlainSite
from appliance.api.routes import ROUTES, Row
from appliance.api.static import Site
from appliance.errors import Refusal
from appliance.protocol import codec

if TYPE_CHECKING:
    from appliance.api.app import Application
    from appliance.service.box import Box

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HTTP_CODES = {404: "not_found", 405: "method", 413: "too_large", 408: "too_slow"}


def build(application: Application, box: Box, gate: Gate, site: Site) -> QuartTrio:
    """The framework with every row of the tables and the site."""
    pages = PlainSite(box, gate, site)
    application.draw_refusal = pages.turn_away
    return Cold(application, gate, site, pages).build()


class Cold:
    """Views around the application's own `perform` and `refuse`."""

    def __init__(self, application: Application, gate: Gate, site: Site, pages: PlainSite) -> None:
        self._application = application
        self._gate = gate
        self._site = site
        self._pages = pages

    def build(self) -> QuartTrio:
        """The framework, ready to be called as ASGI."""
        app = QuartTrio("island", root_path="/", static_folder=None, template_folder=None)
        # Deadlines are the connection's (http.py); Quart's would cut slow Tor downloads in the middle.
        app.config.update(RESPONSE_TIMEOUT=None, BODY_TIMEOUT=None, MAX_CONTENT_LENGTH=None)
        for row in ROUTES:
            rule = row.path.replace("{", "<").replace("}", ">")
            app.add_url_rule(
                rule,
                endpoint=name_of(row),
                view_func=self._view(row),
                methods=[row.method],
                provide_automatic_options=False,
            )
        app.add_url_rule("/v1/openapi.json", view_func=self._openapi, provide_automatic_options=False)
        for page in PAGES:
            self._add_page(app, page)
        for rule in ("/plain/", "/plain/<path:path>"):
            app.add_url_rule(
                rule, "no page", view_func=self._no_page, methods=_METHODS, provide_automatic_options=False
            )
        for rule in ("/", "/<path:path>"):
            app.add_url_rule(
                rule, "site", view_func=self._page, methods=_METHODS, provide_automatic_options=False
            )
        app.register_error_handler(Exception, self._on_error)
        return app

    def _view(self, row: Row) -> Any:
        async def view(**path: str) -> Response:
            try:
                answer = await self._application.perform(row, request.scope, path, request.body)
            except Exception as error:
                answer = self._application.refuse(request.scope, error, name_of(row))
            return _response(*answer)

        return view

    def _add_page(self, app: QuartTrio, row: PageRow) -> None:
        async def view(**path: str) -> Response:
            return _response(*await self._pages.serve(row, request.scope, path, request.body))

        app.add_url_rule(
            row.path.replace("{", "<").replace("}", ">"),
            endpoint=f"page {row.path}",
            view_func=view,
            methods=["GET", "POST"],
            provide_automatic_options=False,
        )

    async def _no_page(self, path: str = "") -> Response:
        return _response(*self._pages.missing(request.scope, at_root=not path))

    async def _openapi(self) -> Response:
        visit: Visit = request.scope["state"]["visit"]
        self._gate.check_open(visit)
        body = codec.write(document(visit.kind), codec.JSON)
        return _response(200, body_headers(codec.JSON, body), body)

    async def _page(self, path: str = "") -> Response:
        visit: Visit = request.scope["state"]["visit"]
        if path:
            self._gate.check_open(visit)
        if any(row.path == f"/{path}" and visit.kind in row.entrances for row in ROUTES):
            raise Refusal("method")
        if request.method not in SAFE_METHODS:
            raise Refusal("method" if not path else "not_found")
        page = self._site.page(self._gate.shown(visit), path, request.scope["headers"])
        return _response(page.status, page.headers, page.body)

    async def _on_error(self, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Refusal(_HTTP_CODES.get(error.code or 400, "malformed"))
        return _response(*self._application.refuse(request.scope, error, "site"))


def _response(status: int, headers: Headers, body: Any) -> Response:
    response = Response(body, status=status)
    response.headers.clear()
    for name, value in headers:
        response.headers.add(name.decode(), value.decode("latin-1"))
    return response
