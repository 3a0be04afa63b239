"""Examples of scans for the OpenAPI document."""

from typing import Any

SCANS: dict[str, Any] = {
    "reports": [
        {
            "id": "YU390276642185-3",
            "tracking": "YU390276642185",
            "code": "WITH_COURIER",
            "at": "2026-03-04T08:15:00+08:00",
            "place": "杭州西湖",
        },
        {"id": "YU390276642185-4", "tracking": "YU390276642185", "code": "SIGNED", "at": "2026-03-04T10:02:00+08:00"},
    ]
}
TRACKING_RESULTS: dict[str, Any] = {
    "accepted": 1,
    "refused": 1,
    "results": [
        {
            "index": 0,
            "status": 200,
            "id": "YU390276642185-3",
            "parcel": "shop-100042.p1",
            "outcome": "taken",
        },
        {
            "index": 1,
            "status": 422,
            "problem": {
                "type": "urn:tongqu:problem:unknown-code",
                "title": "Unknown code",
                "status": 422,
                "detail": "The table of yunque has no code SIGNED_BY_CAT.",
                "code": "unknown_code",
                "field": "code",
                "remedy": "Send a code of the table, or have this one added to the carrier, and send the scan again.",
            },
        },
    ],
}
