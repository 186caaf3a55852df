"""S3 objects of a delivery are filed by the time of their records."""

from datetime import timedelta

from tests.support.delivery_streams import AClock, a_stream, answering, as_row
from tests.support.fake_s3 import FakeS3


def test_an_object_has_the_time_of_its_oldest_record() -> None:
    """An object's prefix is the hour in which its oldest record arrived."""
    s3, clock = FakeS3(), AClock()
    with a_stream(s3, clock=clock) as stream:
        stream.put([b"1"])
        clock.now += timedelta(seconds=2)
        stream.put([b"2"])
        stream.flush(10)
        stream.put([b"3"])
    first, second = s3.objects
    assert first.startswith("events/dt=2026-03-01/hr=23/")
    assert second.startswith("events/dt=2026-03-02/hr=00/")


def test_a_failed_record_does_not_date_other_objects() -> None:
    """A failed record counts for the time of its error object alone."""
    s3, clock = FakeS3(), AClock()
    with a_stream(
        s3, answering(lambda record_id, data: as_row(record_id, data) if data != b"bad" else []), clock=clock
    ) as stream:
        stream.put([b"bad"])
        clock.now += timedelta(seconds=2)
        stream.put([b"good"])
    assert sorted(key.partition("mailfold")[0] for key in s3.objects) == [
        "errors/processing-failed/dt=2026-03-01/hr=23/",
        "events/dt=2026-03-02/hr=00/",
    ]
