"""Dates, times and durations; a moment in UTC is a timestamp and needs no tag."""

# ruff: noqa: ANN401  (an object of any type may come)

from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aerlock.codec.tagged import TaggedType, require, require_keys


def _datetime_to_plain(moment: datetime) -> str | dict[str, Any]:
    """An ISO 8601 string, with what that does not say beside it.

    Of time zones other than Python's own, such as those of dateutil, the offset at that moment travels.
    """
    more: dict[str, Any] = {"fold": 1} if moment.fold else {}
    zone = moment.tzinfo
    if isinstance(zone, ZoneInfo):
        if zone.key is None:
            raise TypeError("its time zone has no name: use zoneinfo.ZoneInfo(name)")
        more["zone"] = zone.key
    elif isinstance(zone, timezone):
        if len(zone.__getinitargs__()) == 2:  # type: ignore[attr-defined]
            more["zone_name"] = zone.tzname(None)
    elif zone is not None and moment.utcoffset() is None:
        raise TypeError("its time zone has no offset: use zoneinfo or datetime.timezone")
    return {"iso": moment.isoformat(), **more} if more else moment.isoformat()


def _datetime_from_plain(plain: Any) -> datetime:
    if type(plain) is str:
        return datetime.fromisoformat(plain)
    require_keys(plain, "iso", optional=("fold", "zone", "zone_name"))
    written = datetime.fromisoformat(require(str, plain["iso"]))
    moment = written.replace(fold=require(int, plain.get("fold", 0)))
    if "zone" in plain:
        moment = moment.replace(tzinfo=_zone(require(str, plain["zone"])))
        if moment.utcoffset() != written.utcoffset():
            raise ValueError(f"its offset is not that of {plain['zone']} here: the time zone data differ")
    elif "zone_name" in plain:
        offset = written.utcoffset()
        if offset is None:
            raise ValueError("a time zone without an offset")
        moment = moment.replace(tzinfo=timezone(offset, require(str, plain["zone_name"])))
    return moment


def _zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"this machine knows no time zone {key!r}: pip install tzdata") from error


def _time_to_plain(moment: time) -> str:
    if moment.fold or isinstance(moment.tzinfo, ZoneInfo):
        raise TypeError("a time of day has a time zone only together with its date: send a datetime")
    return moment.isoformat()


def _timedelta_to_plain(duration: timedelta) -> list[int]:
    return [duration.days, duration.seconds, duration.microseconds]


def _timedelta_from_plain(plain: Any) -> timedelta:
    days, seconds, microseconds = (require(int, number) for number in require(list, plain))
    return timedelta(days, seconds, microseconds)


TYPES: Final = (
    TaggedType("python.datetime", ("datetime.datetime",), _datetime_to_plain, _datetime_from_plain),
    TaggedType(
        "python.date",
        ("datetime.date",),
        date.isoformat,
        lambda plain: date.fromisoformat(require(str, plain)),
    ),
    TaggedType(
        "python.time",
        ("datetime.time",),
        _time_to_plain,
        lambda plain: time.fromisoformat(require(str, plain)),
    ),
    TaggedType("python.timedelta", ("datetime.timedelta",), _timedelta_to_plain, _timedelta_from_plain),
)
