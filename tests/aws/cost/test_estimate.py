"""The estimate, compared with arithmetic by hand, and laws that hold for every bill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.aws.cost.estimate import Estimate, estimate, price_list
from pipeline.aws.cost.workload import ConsumerMode, StreamMode, Workload

CENT = 0.01
GIB = 2**30
RETENTION_DAYS = (1, 2, 3, 7, 14, 30, 365)


def a_workload(emails_per_day: int) -> Workload:
    """Return a workload with two events per e-mail, of which two in a hundred are feedback."""
    return Workload(emails_per_day=emails_per_day, events_per_email=2, feedback_percent=4)


def estimated(workload: Workload) -> Estimate:
    """Return the estimate with the packaged prices."""
    return estimate(workload, price_list())


def first_usd(workload: Workload) -> dict[str, float]:
    """Return the dollars of the first month by part."""
    return {cost.part: cost.first_usd for cost in estimated(workload).costs}


def twelfth_usd(workload: Workload) -> dict[str, float]:
    """Return the dollars of the twelfth month by part."""
    return {cost.part: cost.twelfth_usd for cost in estimated(workload).costs}


def test_a_million_events_a_day() -> None:
    """Every part equals arithmetic by hand for 30,416,667 events a month, of which 608,333 are feedback."""
    events, feedback, minutes = 30_416_667, 608_333, 43_800
    log_gib = events * 2_200 / 5 / GIB  # 12.46
    assert first_usd(a_workload(500_000)) == pytest.approx(
        {
            "log: Firehose, ingestion": events * 5_120 / GIB * 0.029,  # 4.21
            "log: Firehose, to Parquet": events * 5_120 / GIB * 0.018,  # 2.61
            # A megabyte or a minute makes a call: 63,817 of a megabyte. Two milliseconds an event, and 50 a call.
            "log: transform": (calls := events * 2_200 / 2**20) * 0.2e-6
            + (events * 0.002 + calls * 0.05) * 0.5 * 0.0000133334,
            "log: S3, requests": 4 * 730 * 4 * 0.005e-3,  # an object each quarter of an hour
            "log: S3, storage": log_gib / 2 * 0.023,  # half a month's log in the middle of the month: 0.14
            "feedback: EventBridge": feedback * 1e-6,  # 0.61
            "feedback: Kinesis": 730 * 0.015 + feedback * 0.014e-6,  # 10.96
            "feedback: Kinesis, retention": 730 * 0.020,  # 14.60
            # Less than one a second: each is a call.
            "feedback: projector": feedback * (0.2e-6 + 0.06 * 0.5 * 0.0000133334),  # 0.37
            "table: DynamoDB, writes": feedback * (2 * 0.625e-6 + 0.125e-6),  # 0.84
            "table: DynamoDB, storage": feedback * 1_500 / GIB / 2 * 0.45,  # 0.19
            "senders: look-ups": 500_000 * 730 / 24 * 0.125e-6,  # 1.90
            # 30 s a day with 1,769 MB, and three queries of at least 10 MB. A drill every week compares half of a
            # month's addresses, with a read of 4 KB and 0.2 ms each, and reads 300 bytes of each.
            "comparison of log and table": (730 / 24) * (30 * 1_769 / 1_024 * 0.0000133334 + 3 * 1e7 / 1e12 * 5)
            + feedback / 2 * (730 / 24 / 7) * (0.125e-6 + 0.0002 * 1_769 / 1_024 * 0.0000133334 + 300 / 1e12 * 5),
            "monitoring: alarms": 33 * 0.10,
            "monitoring: metrics": (13 + 10 + 6) * 0.30,
            "monitoring: dashboard": 3.00,
            "monitoring: logs": (calls + feedback) * 1_200 / GIB * (0.50 + 0.03 / 2),  # 0.39
            "keys: KMS": 2 * 12 * 730 * 0.03e-4,  # 0.05
        },
        abs=CENT / 10,
    )
    assert calls > minutes


def test_a_hundred_million_events_a_day() -> None:
    """Parts equal arithmetic by hand for 3,041,666,667 events a month. 60,833,333 of them are feedback, 23 a second."""
    events, feedback, seconds = 3_041_666_667, 60_833_333, 2_628_000
    result = first_usd(a_workload(50_000_000))
    assert result["log: Firehose, ingestion"] == pytest.approx(14_504.10 * 0.029, abs=CENT)  # GiB, in steps of 5 KB
    assert result["log: Firehose, to Parquet"] == pytest.approx(14_504.10 * 0.018, abs=CENT)
    # 47,542 objects of 128 MB
    assert result["log: S3, requests"] == pytest.approx(events * 2_200 / 2**27 * 4 * 0.005e-3, abs=CENT)
    assert result["feedback: EventBridge"] == pytest.approx(60.83, abs=CENT)
    assert result["feedback: Kinesis"] == pytest.approx(10.95 + 60.833 * 0.014, abs=CENT)  # one shard is enough
    # Ten calls a second, of two or three records.
    in_functions = (feedback * 0.01 + 10 * seconds * 0.05) * 0.5
    assert result["feedback: projector"] == pytest.approx(10 * seconds * 0.2e-6 + in_functions * 0.0000133334, abs=CENT)
    assert result["table: DynamoDB, writes"] == pytest.approx(60.833 * 1.375, abs=CENT)


def test_a_thousand_emails_a_day() -> None:
    """A small sender pays almost only for fixed parts, and for metrics in the hours in which they are published."""
    result = first_usd(a_workload(1_000))
    fixed = 10.95 + 14.60 + 33 * 0.10 + 3.00 + 0.05
    counts = 13 * 0.30 + 16 * 0.30  # 40 bounces a day: one in each hour
    assert sum(result.values()) == pytest.approx(fixed + counts, abs=0.25)


@pytest.mark.parametrize(("emails_per_day", "usd"), [(500_000, 20), (5_000_000, 102), (50_000_000, 924)])
def test_it_agrees_with_an_independent_calculation(emails_per_day: int, usd: float) -> None:
    """The other calculation has a day of retention, no look-ups, no monitoring, and the log of the first month."""
    result = first_usd(a_workload(emails_per_day))
    left_out = (
        "feedback: Kinesis, retention",
        "table: DynamoDB, storage",
        "senders:",
        "comparison",
        "monitoring:",
        "keys:",
    )
    same = sum(cost for part, cost in result.items() if not part.startswith(left_out))
    assert same == pytest.approx(usd, rel=0.08)


def test_the_log_stays_in_the_frequent_tier_because_drills_read_it() -> None:
    """Eleven and a half months of the log cost what the standard class costs, and the tiering of each object."""
    log_gib_per_day = 1_000_000 * 2_200 / 5 / GIB
    days = 11.5 * 730 / 24
    objects = 4 * 730
    watched = objects * (11.5 - 30 * 24 / 730) * 0.0025e-3 + objects * 0.01e-3
    expected = pytest.approx(log_gib_per_day * days * 0.023 + watched)
    assert twelfth_usd(a_workload(500_000))["log: S3, storage"] == expected


def test_without_mail_only_fixed_parts_cost() -> None:
    """Without mail the months cost the same, and there is no cost of a thousand e-mails."""
    result = estimated(Workload(emails_per_day=0))
    fixed_parts = {cost.part for cost in result.costs if cost.twelfth_usd}
    assert fixed_parts == {
        *("feedback: Kinesis", "feedback: Kinesis, retention"),
        *("comparison of log and table", "monitoring: alarms", "monitoring: dashboard", "keys: KMS"),
    }
    assert (
        result.first_usd
        == result.twelfth_usd
        == pytest.approx(730 * (0.015 + 0.020) + 3.30 + 3.00 + 0.053 + 0.026, abs=CENT)
    )
    assert (result.per_thousand(result.first_usd), result.ses_usd) == (None, 0)


def test_a_container_costs_fargate_and_leases() -> None:
    """A container costs a quarter of a processor and a gigabyte for 730 hours.

    Each lease is renewed three times in ten seconds.
    """
    by_lambda = a_workload(500_000)
    by_container = replace(by_lambda, consumer=ConsumerMode.CONTAINER)
    lambda_, container = first_usd(by_lambda), first_usd(by_container)
    assert container["feedback: consumer"] == pytest.approx(730 * (0.25 * 0.03238 + 0.00356))  # 8.51
    writes = 2_628_000 * (3 / 10 + 1 / 30)
    assert container["feedback: leases"] == pytest.approx(writes * 0.75e-6)  # 0.66
    assert container["monitoring: alarms"] == pytest.approx(30 * 0.10)
    assert container["monitoring: metrics"] == pytest.approx((13 + 10 + 2) * 0.30)
    minutes = 43_800 * 1_200 / GIB * (0.50 + 0.03 / 2)
    assert container["monitoring: logs"] == pytest.approx(lambda_["monitoring: logs"] + minutes)
    assert "feedback: projector" not in container
    same = lambda_.keys() - {"feedback: projector", "monitoring: alarms", "monitoring: metrics", "monitoring: logs"}
    assert {part: container[part] for part in same} == {part: lambda_[part] for part in same}


def test_tasks_and_shards_multiply_the_cost() -> None:
    """Three tasks cost three times as much, and every shard has a lease."""
    one_task, three_tasks = (
        Workload(emails_per_day=0, consumer=ConsumerMode.CONTAINER, consumer_tasks=tasks) for tasks in (1, 3)
    )
    assert first_usd(three_tasks)["feedback: consumer"] == pytest.approx(3 * first_usd(one_task)["feedback: consumer"])
    wide = replace(one_task, stream_shards=10)
    assert first_usd(wide)["feedback: leases"] > 9 * first_usd(one_task)["feedback: leases"]


def test_a_consumer_elsewhere_costs_its_leases_only() -> None:
    """A consumer outside AWS costs neither functions nor tasks."""
    elsewhere = first_usd(replace(a_workload(500_000), consumer=ConsumerMode.ELSEWHERE))
    assert elsewhere["feedback: leases"] > 0
    assert not {"feedback: projector", "feedback: consumer"} & elsewhere.keys()
    assert elsewhere["monitoring: metrics"] == pytest.approx(13 * 0.30)


def test_a_thousand_emails_cost_a_dime_at_ses() -> None:
    """SES's own charge is ten cents for a thousand e-mails."""
    result = estimated(a_workload(500_000))
    assert result.per_thousand(result.ses_usd) == pytest.approx(0.10)
    assert result.per_thousand(result.twelfth_usd) == pytest.approx(result.twelfth_usd / (500 * 730 / 24))


@pytest.mark.parametrize("size_bytes", [1, 2_200, 5_120])
def test_firehose_rounds_an_event_up_to_5_kb(size_bytes: int) -> None:
    """Events of up to 5 KB cost the same."""
    workload = Workload(emails_per_day=1_000_000, event_bytes=size_bytes)
    assert (
        first_usd(workload)["log: Firehose, ingestion"]
        == first_usd(Workload(emails_per_day=1_000_000))["log: Firehose, ingestion"]
    )


def test_firehose_rounds_one_byte_more_up_to_10_kb() -> None:
    """An event of 5,121 bytes costs twice as much as one of 5,120."""
    small, large = (
        first_usd(Workload(emails_per_day=1_000_000, event_bytes=size))["log: Firehose, ingestion"]
        for size in (5_120, 5_121)
    )
    assert large == 2 * small


def test_a_stream_on_demand_costs_by_the_hour_and_the_gigabyte() -> None:
    """608,333 records of 2,600 bytes, each rounded up to 3 KB, are 1.74 GiB. Six of seven days are extra."""
    workload = a_workload(500_000)
    result = first_usd(
        Workload(emails_per_day=500_000, events_per_email=2, feedback_percent=4, stream_mode=StreamMode.ON_DEMAND)
    )
    gib = workload.feedback * 3_072 / GIB
    assert result["feedback: Kinesis"] == pytest.approx(730 * 0.04 + gib * 0.12)
    assert result["feedback: Kinesis, retention"] == pytest.approx(gib * 6 / (730 / 24) * 0.10)


def test_retention_costs_beyond_a_day_and_beyond_a_week() -> None:
    """A day is free, and a year costs 358 days of long-term retention."""
    day, year = (
        first_usd(Workload(emails_per_day=500_000, stream_retention_days=days))["feedback: Kinesis, retention"]
        for days in (1, 365)
    )
    gib_per_day = 10_000 * 3_072 / GIB
    assert day == 0
    assert year == pytest.approx(14.60 + gib_per_day * 358 * 0.023)


workloads = st.builds(
    Workload,
    emails_per_day=st.integers(0, 10**10),
    events_per_email=st.floats(1, 20),
    feedback_percent=st.floats(0, 100),
    lookups_per_email=st.floats(0, 10),
    event_bytes=st.integers(1, 100_000),
    stream_mode=st.sampled_from(StreamMode),
    stream_shards=st.none() | st.integers(1, 100),
    stream_retention_days=st.sampled_from(RETENTION_DAYS),
)


@given(workload=workloads, more=st.integers(0, 10**10))
def test_more_mail_never_costs_less(workload: Workload, more: int) -> None:
    """No part becomes cheaper when more is sent."""
    changed = {name: getattr(workload, name) for name in workload.__struct_fields__}
    larger = Workload(**{**changed, "emails_per_day": workload.emails_per_day + more})
    for less_, more_ in zip(estimated(workload).costs, estimated(larger).costs, strict=True):
        assert more_.first_usd >= less_.first_usd * (1 - 1e-9), less_.part
        assert more_.twelfth_usd >= less_.twelfth_usd * (1 - 1e-9), less_.part


@given(workload=workloads)
def test_parts_are_never_negative_and_add_up(workload: Workload) -> None:
    """Costs are not negative, parts are distinct, and their sum is the total."""
    result = estimated(workload)
    assert all(cost.first_usd >= 0 and cost.twelfth_usd >= 0 for cost in result.costs)
    assert result.twelfth_usd == pytest.approx(sum(cost.twelfth_usd for cost in result.costs))
    assert result.twelfth_usd >= result.first_usd * (1 - 1e-9)
    assert len({cost.part for cost in result.costs}) == len(result.costs)


def test_a_rebuild_after_a_year_of_a_hundred_million_events_a_day() -> None:
    """Each of 700 million addresses is read and written. The log is read, as it is by drills every week."""
    addresses = 60_833_333 * 11.5
    table = addresses * (2 * 0.625e-6 + 0.125e-6)  # 962
    requests = 3_041_666_667 * 2_200 / 2**27 * 4 * 11.5 * 0.0004e-3  # 0.92
    assert estimated(a_workload(50_000_000)).rebuild_usd == pytest.approx(table + requests, abs=CENT)
    assert estimated(Workload(emails_per_day=0)).rebuild_usd == 0


def test_a_query_costs_at_least_ten_megabytes() -> None:
    """Athena bills at least 10 MB for a query."""
    assert estimated(Workload(emails_per_day=0)).query_usd == pytest.approx(0.00005)
    assert estimated(a_workload(500_000)).query_usd == pytest.approx(30_416_667 * 25 / 1e12 * 5)
