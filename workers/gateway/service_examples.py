"""Examples of what customer service goes by, for the OpenAPI document."""

from typing import Any

CALENDAR: dict[str, Any] = {
    "id": "yangtze-delta",
    "title": {"zh": "长三角客服时间", "en": "Service hours of the Yangtze delta"},
    "zone": "Asia/Shanghai",
    "work": {
        "hours": {
            day: [{"opens": "09:00", "closes": "12:00"}, {"opens": "13:00", "closes": "21:00"}]
            for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
        },
        "holidays": "CN",
        "make_up": "monday",
    },
}


def _targets(priority: str, first: int, following: int, resolution: int, **more: Any) -> dict[str, Any]:
    return {
        "priority": priority,
        "first_response_s": first * 60,
        "next_response_s": following * 60,
        "resolution_s": resolution * 60,
        **more,
    }


POLICY: dict[str, Any] = {
    "id": "tibet",
    "title": {"zh": "西藏服务承诺", "en": "Promises for Tibet"},
    "regions": ["54"],
    "calendar": "cn-service",
    "targets": [
        _targets("urgent", 15, 20, 360),
        _targets("high", 30, 45, 720),
        _targets("normal", 60, 90, 1950),
        _targets("low", 240, 300, 3900),
        _targets("normal", 20, 30, 720, tiers=["gold"]),
    ],
    "ladder": [
        {
            "title": {"zh": "一线客服", "en": "First line"},
            "target_s": 21600,
            "before_due_s": 3600,
            "silent_s": 1800,
            "compensation_limit": 3000,
            "message": {"zh": "工单 {case} 分配给您：{because}。", "en": "Case {case} is yours: {because}."},
        },
        {
            "title": {"zh": "值班主管", "en": "Lead on duty"},
            "assignee": {"kind": "lead"},
            "compensation_limit": 50000,
            "message": {"zh": "工单 {case} 升级：{because}。", "en": "Case {case} has come up: {because}."},
        },
    ],
}
TEAM: dict[str, Any] = {
    "id": "south-line",
    "title": {"zh": "华南一线", "en": "First line of the south"},
    "level": 1,
    "regions": ["44", "45"],
    "agents": [
        {"id": "s-1001", "languages": ["zh"], "dialects": ["cantonese"], "capacity": 30},
        {"id": "s-1002", "languages": ["zh", "en"], "share": 0.5},
    ],
    "lead": "s-1001",
}
ROTA: dict[str, Any] = {
    "team": "south-line",
    "zone": "Asia/Shanghai",
    "anchor": "2026-11-23",
    "cycle_days": 2,
    "duties": [
        {"agent": "s-1001", "day": 0, "begins": "08:00", "minutes": 720},
        {"agent": "s-1002", "day": 0, "begins": "20:00", "minutes": 720},
        {"agent": "s-1002", "day": 1, "begins": "08:00", "minutes": 720},
        {"agent": "s-1001", "day": 1, "begins": "20:00", "minutes": 720},
    ],
    "whole": True,
}
