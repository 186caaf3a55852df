"""Attaching an existing configuration set: its destinations are created once, and other destinations are kept."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.aws.deployment.attach import (
    AttachAction,
    AttachedSet,
    AttachStep,
    attach,
    attached_sets,
    check_set,
    detach,
    plan_attachment,
)
from pipeline.aws.deployment.destinations import (
    ENGAGEMENT_TYPES,
    QUIET_TYPES,
    event_destinations,
    existing_destinations,
    tracks_engagement,
)
from pipeline.aws.stack import Stack
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable, UsageError
from tests.support import cloudformation
from tests.support.fake_service import ACCOUNT, REGION
from tests.support.fake_ses import FakeSes

SET = "newsletter"
STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/events"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ses"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
STACK = Stack(
    name="mail",
    id=f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/mail/6b2d",
    status="UPDATE_COMPLETE",
    parameters={"ConfigurationSets": f"{SET},receipts"},
    outputs={
        "ConfigurationSet": "mail",
        "ConfigurationSets": f"mail,{SET},receipts",
        "DeliveryStreamArn": STREAM,
        "SesRoleArn": ROLE,
    },
)


def an_archive(*, name: str = "archive", stream: str = STREAM, role: str = ROLE, **more: Any) -> dict[str, Any]:
    """Return a destination to Firehose as SES describes it."""
    target = {"IamRoleArn": role, "DeliveryStreamArn": stream}
    types = sorted(QUIET_TYPES)
    return {"Name": name, "Enabled": True, "MatchingEventTypes": types, "KinesisFirehoseDestination": target, **more}


def a_feedback(*, name: str = "feedback", **more: Any) -> dict[str, Any]:
    """Return a destination to EventBridge as SES describes it."""
    types = ["COMPLAINT", "BOUNCE"]
    target = {"EventBusArn": BUS}
    return {"Name": name, "Enabled": True, "MatchingEventTypes": types, "EventBridgeDestination": target, **more}


def a_topic(name: str) -> dict[str, Any]:
    """Return a destination to SNS as SES describes it."""
    return {"Name": name, "Enabled": True, "MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": "arn:sns"}}


def steps_for(existing: Sequence[Any], *, tracks: bool = False, replace: bool = False) -> tuple[AttachStep, ...]:
    return plan_attachment(event_destinations(STACK, tracks=tracks), existing, replace=replace)


def attached(ses: FakeSes, *, tracks: bool = False, replace: bool = False) -> list[AttachAction]:
    """Attach the set without waiting, and return the actions."""
    client = ses.client()
    steps = steps_for(existing_destinations(client, SET) or (), tracks=tracks, replace=replace)
    attach(client, SET, steps, wait=lambda _: None)
    return [step.action for step in steps]


def test_a_set_gets_both_and_a_second_time_nothing_is_done() -> None:
    ses = FakeSes({SET: [a_topic("mine")]})
    assert attached(ses) == [AttachAction.CREATED, AttachAction.CREATED]
    after = {
        name: {**destination, "MatchingEventTypes": {*destination["MatchingEventTypes"]}}
        for name, destination in ses.sets[SET].items()
    }
    assert after["mine"] == a_topic("mine") | {"MatchingEventTypes": {"BOUNCE"}}
    assert after["archive"] == an_archive() | {"MatchingEventTypes": {*QUIET_TYPES}}
    assert after["feedback"] == a_feedback() | {"MatchingEventTypes": {"BOUNCE", "COMPLAINT"}}
    changes = ses.changes()
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == changes


def test_they_are_those_that_the_template_makes_for_its_own_set() -> None:
    resources = cloudformation.template()["Resources"]
    for destination, name in zip(
        event_destinations(STACK, tracks=True), ("ArchiveDestination", "FeedbackDestination"), strict=True
    ):
        declared = resources[name]["Properties"]["EventDestination"]
        assert declared["Name"] == destination.name
        types = declared["MatchingEventTypes"]
        tracked = types["Fn::If"][1] if isinstance(types, dict) else types
        assert {_upper_snake(one) for one in tracked} == destination.types
        if isinstance(types, dict):
            assert {_upper_snake(one) for one in types["Fn::If"][2]} == destination.types - ENGAGEMENT_TYPES


def _upper_snake(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)


@pytest.mark.parametrize("tracks", [True, False])
def test_opens_and_clicks_are_events_only_where_asked_for(tracks: bool) -> None:
    ses = FakeSes({SET: []})
    attached(ses, tracks=tracks)
    types = {*ses.sets[SET]["archive"]["MatchingEventTypes"]}
    assert (types >= ENGAGEMENT_TYPES, bool(types & ENGAGEMENT_TYPES)) == (tracks, tracks)
    assert tracks_engagement(STACK, existing_destinations(ses.client(), SET) or ()) is tracks


def test_a_set_that_leads_elsewhere_says_nothing_about_tracking() -> None:
    ses = FakeSes({SET: [a_topic("mine"), a_feedback(), an_archive(stream="arn:another")]})
    assert tracks_engagement(STACK, existing_destinations(ses.client(), SET) or ()) is None


@pytest.mark.parametrize(
    "change", [{"Enabled": False}, {"MatchingEventTypes": ["SEND"]}, {"role": "arn:an-old-role"}], ids=str
)
def test_one_that_leads_here_but_differs_is_updated(change: dict[str, Any]) -> None:
    ses = FakeSes({SET: [an_archive(**change), a_feedback()]})
    assert attached(ses) == [AttachAction.UPDATED, AttachAction.UNCHANGED]
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == ["update_configuration_set_event_destination"]


def test_one_of_another_name_that_does_the_same_is_enough() -> None:
    """A second one would put every event there twice."""
    ses = FakeSes(
        {SET: [an_archive(name="all"), a_feedback(name="bus", MatchingEventTypes=["BOUNCE", "COMPLAINT", "SEND"])]}
    )
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == []


@pytest.mark.parametrize(
    "other", [an_archive(stream="arn:of-another-stack"), a_topic("archive")], ids=["stack", "kind"]
)
def test_one_of_its_name_that_leads_elsewhere_is_replaced_only_where_that_is_said(other: dict[str, Any]) -> None:
    ses = FakeSes({SET: [other]})
    with pytest.raises(UsageError, match=r"archive of the configuration set sends to arn:.*--replace"):
        attached(ses)
    assert ses.changes() == []
    assert attached(ses, replace=True) == [AttachAction.REPLACED, AttachAction.CREATED]
    assert ses.sets[SET]["archive"]["KinesisFirehoseDestination"]["DeliveryStreamArn"] == STREAM
    assert "SnsDestination" not in ses.sets[SET]["archive"]


def test_more_than_a_set_can_have_are_refused_before_any_is_made() -> None:
    with pytest.raises(InvalidInput, match="has 9 destinations, and SES allows 10"):
        steps_for([a_topic(f"topic-{number}") for number in range(9)])
    assert len(steps_for([a_topic(f"topic-{number}") for number in range(8)])) == 2


def test_a_role_that_ses_cannot_use_yet_is_waited_for() -> None:
    ses, waits, words = FakeSes({SET: []}, refuses=["BadRequestException"] * 3), list[float](), list[str]()
    attach(ses.client(), SET, steps_for([]), report=words.append, wait=waits.append)
    assert {*ses.sets[SET]} == {"archive", "feedback"}
    assert len(waits) == 3
    assert "role" in words[0]


def test_a_role_that_is_replaced_is_waited_for_too() -> None:
    ses = FakeSes({SET: [an_archive(stream="arn:another"), a_feedback()]}, refuses=["BadRequestException"])
    assert attached(ses, replace=True) == [AttachAction.REPLACED, AttachAction.UNCHANGED]
    assert ses.sets[SET]["archive"]["KinesisFirehoseDestination"]["DeliveryStreamArn"] == STREAM


def test_what_ses_refuses_for_good_is_told_in_the_end() -> None:
    ses = FakeSes({SET: []}, refuses=["BadRequestException"] * 100)
    with pytest.raises(InvalidInput, match="BadRequestException: SES says so"):
        attached(ses)


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", AccessDenied), ("TooManyRequestsException", ServiceUnavailable)]
)
def test_what_has_nothing_to_do_with_the_role_is_told_at_once(code: str, error: type[Exception]) -> None:
    waits: list[float] = []
    with pytest.raises(error):
        attach(FakeSes({SET: []}, refuses=[code]).client(), SET, steps_for([]), wait=waits.append)
    assert waits == []


def test_a_set_that_the_stack_does_not_let_in_is_refused_with_all_that_it_would() -> None:
    with pytest.raises(
        UsageError, match=rf"deploy --stack mail --region eu-west-1 --param ConfigurationSets={SET},receipts,another`"
    ):
        check_set(STACK, "another")
    check_set(STACK, SET)


def test_the_stacks_own_set_is_the_templates() -> None:
    with pytest.raises(UsageError, match="own configuration set"):
        check_set(STACK, "mail")


def test_a_set_that_is_not_there_has_no_destinations() -> None:
    assert existing_destinations(FakeSes({}).client(), SET) is None


def test_what_was_attached_is_found_and_detached_and_the_rest_stays() -> None:
    ses = FakeSes({SET: [a_topic("mine")], "receipts": [a_topic("mine")]})
    attached(ses)
    client = ses.client()
    found = attached_sets(client, STACK)
    assert found == (AttachedSet(configuration_set=SET, destinations=("archive", "feedback")),)
    for _ in range(2):
        detach(client, found[0])
    assert [*ses.sets[SET]] == ["mine"]
    assert attached_sets(client, STACK) == ()


def test_the_feedback_that_another_stack_gets_too_is_not_taken_away() -> None:
    ses = FakeSes({SET: [an_archive(stream="arn:another"), a_feedback(), an_archive(name="ours")], "receipts": []})
    assert attached_sets(ses.client(), STACK) == (AttachedSet(configuration_set=SET, destinations=("ours",)),)


def test_a_stack_that_was_never_finished_has_nothing_attached() -> None:
    unfinished = Stack(name="mail", id=STACK.id, status="ROLLBACK_COMPLETE", parameters={}, outputs={})
    assert attached_sets(FakeSes({}).client(), unfinished) == ()
