"""Pages: one built page serves every wall; what it shows comes over the live protocol."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from app.dependencies import Services, ServicesIn

router = APIRouter(include_in_schema=False)

#: Scripts and styles are our own files; the page talks to nobody else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The page names its scripts by their content, so it alone must be fresh.
    "Cache-Control": "no-cache",
}


@router.get("/")
async def home() -> RedirectResponse:
    """Lead to the network's wall."""
    return RedirectResponse("/wall")


@router.get("/wall")
async def network_wall(services: ServicesIn) -> Response:
    """Show the network's wall."""
    return _page(services)


@router.get("/wall/{region}")
async def region_wall(region: str, services: ServicesIn) -> Response:
    """Show a region's wall; the page itself says when there is no such region."""
    del region  # read by the page from its address
    return _page(services)


def _page(services: Services) -> Response:
    page = services.static / "index.html"
    if not page.is_file():
        return HTMLResponse("<p>The web part is not built: run <code>make setup</code>.</p>", 503)
    return FileResponse(page, headers=HEADERS)
