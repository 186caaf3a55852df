"""SES: event destinations of the stack's own configuration set, and other sets that the stack accepts."""

from typing import Any

import pytest

from tests.support.cloudformation import ACCOUNT, NAME, REGION, rule_violations, stack, template

ENGAGEMENT = {"open", "click"}
ALL = ENGAGEMENT | {
    *("send", "reject", "bounce", "complaint", "delivery", "renderingFailure", "deliveryDelay", "subscription"),
}


def destination(name: str, **parameters: str) -> Any:
    """Return an enabled event destination of the stack's own set."""
    properties = stack(**parameters).properties(name)
    assert properties["ConfigurationSetName"] == "{ConfigurationSet}"
    assert properties["EventDestination"]["Enabled"] is True
    return properties["EventDestination"]


def accepted_sets(**parameters: str) -> list[Any]:
    """Return the configuration sets that the feedback rule matches."""
    pattern = stack(**parameters).properties("FeedbackRule")["EventPattern"]
    sets: list[Any] = pattern["detail"]["mail"]["tags"]["ses:configuration-set"]
    return sets


def trust(**parameters: str) -> Any:
    """Return the trust statement of SES's role."""
    (statement,) = stack(**parameters).properties("SesRole")["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_all_ten_types_go_to_firehose() -> None:
    """SES sends every type of event to Firehose, with its role."""
    archive = destination("ArchiveDestination")
    assert set(archive["MatchingEventTypes"]) == ALL
    assert archive["KinesisFirehoseDestination"] == {
        "DeliveryStreamARN": "{DeliveryStream.Arn}",
        "IAMRoleARN": "{SesRole.Arn}",
    }


def test_opens_and_clicks_can_be_disabled() -> None:
    """Without tracking SES does not change the mail."""
    archive = destination("ArchiveDestination", TrackEngagement="false")
    assert set(archive["MatchingEventTypes"]) == ALL - ENGAGEMENT


def test_feedback_goes_to_the_default_bus_too() -> None:
    """SES sends bounces and complaints to EventBridge's default bus."""
    feedback = destination("FeedbackDestination")
    assert set(feedback["MatchingEventTypes"]) == {"bounce", "complaint"}
    assert feedback["EventBridgeDestination"]["EventBusArn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


def test_ses_has_its_suppression_list_and_no_metrics_of_the_set() -> None:
    """SES's own suppression list stays on. Reputation metrics of a set are billed, and no alarm reads them."""
    properties = stack().properties("ConfigurationSet")
    assert properties["Name"] == NAME
    assert properties["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    assert properties["ReputationOptions"] == {"ReputationMetricsEnabled": False}


@pytest.mark.parametrize(
    ("parameters", "others"), [({}, []), ({"ConfigurationSets": "news, password_reset"}, ["news", "password_reset"])]
)
def test_rule_role_and_output_accept_the_same_sets(parameters: dict[str, str], others: list[str]) -> None:
    """The stack's own set and the sets in the parameter are accepted by rule and role, and named by the output."""
    own_set = "{ConfigurationSet}"

    assert accepted_sets(**parameters) == [own_set, *others]
    assert trust(**parameters)["Condition"]["ArnLike"] == {
        "AWS:SourceArn": [f"arn:*:ses:*:*:configuration-set/{name}" for name in (own_set, *others)]
    }
    assert stack(**parameters).outputs["ConfigurationSets"]["Value"] == ",".join([own_set, *others])


def test_all_sets_of_the_account_can_be_accepted() -> None:
    """The rule matches every event with a set, and the role trusts every set of account and region."""
    accepted = stack(ConfigurationSets="*")
    assert accepted_sets(ConfigurationSets="*") == [{"exists": True}]
    assert trust(ConfigurationSets="*")["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        "StringLike": {"AWS:SourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/*"},
    }
    assert accepted.outputs["ConfigurationSets"]["Value"] == "{ConfigurationSet},*"


@pytest.mark.parametrize("sets", ["*", "news,receipts", ""])
def test_all_sets_or_names_are_accepted(sets: str) -> None:
    """CloudFormation refuses a list with names and an asterisk before it changes anything."""
    assert rule_violations(ConfigurationSets=sets) == []
    assert len(rule_violations(ConfigurationSets="news,*")) == 1


def test_the_archive_is_attached_before_the_feedback() -> None:
    """SES answers one call a second."""
    assert template()["Resources"]["FeedbackDestination"]["DependsOn"] == ["ArchiveDestination"]


def test_ses_assumes_its_role_for_this_account_and_region_only() -> None:
    """The trust policy names account and region of the configuration sets."""
    statement = trust()
    assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"AWS:SourceAccount": ACCOUNT}
    assert statement["Condition"]["StringLike"] == {
        "AWS:SourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/*"
    }
