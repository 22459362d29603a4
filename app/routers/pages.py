"""Pages: one built page serves every wall; what it shows comes over the live protocol.

A second one shows the API's documents.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from app.dependencies import Services, ServicesIn

router = APIRouter(include_in_schema=False)

#: Scripts and styles are our own files, and none makes markup, scripts or addresses of scripts
#: out of text; the page talks to nobody else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
#: The signs of Swagger UI stand in its stylesheet.
DOCS_POLICY = POLICY.replace("img-src 'self'", "img-src 'self' data:")


@router.get("/")
async def home() -> RedirectResponse:
    """Lead to the network's wall."""
    return RedirectResponse("/wall")


@router.get("/wall")
async def network_wall(services: ServicesIn) -> Response:
    """Show the network's wall."""
    return _page(services, "index.html", POLICY)


@router.get("/wall/{region}")
async def region_wall(region: str, services: ServicesIn) -> Response:
    """Show a region's wall; the page itself says when there is no such region."""
    del region  # read by the page from its address
    return _page(services, "index.html", POLICY)


@router.get("/docs")
async def docs(services: ServicesIn) -> Response:
    """Show the API's documents, from files of our own.

    Not the framework's page: a script stands in that.
    """
    return _page(services, "docs.html", DOCS_POLICY)


def _page(services: Services, name: str, policy: str) -> Response:
    page = services.static / name
    if not page.is_file():
        return HTMLResponse("<p>The web part is not built: run <code>make setup</code>.</p>", 503)
    # The page names its scripts by their content, so it alone must be fresh.
    return FileResponse(
        page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    )
