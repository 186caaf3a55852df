"""Roles in accounts with rules of their own: a permissions boundary, and a path."""

import re

import pytest

from tests.support.cloudformation import ACCOUNT, CONSUMERS, consumed_by, template

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/team/boundary"


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_every_role_has_the_permissions_boundary_if_there_is_one(consumer: str) -> None:
    """An organisation may deny the creation of roles without its boundary. By default there is none."""
    roles = consumed_by(consumer).of_type("AWS::IAM::Role").values()
    assert not any("PermissionsBoundary" in role for role in roles)
    roles = consumed_by(consumer, PermissionsBoundary=BOUNDARY).of_type("AWS::IAM::Role").values()
    assert {role["PermissionsBoundary"] for role in roles} == {BOUNDARY}


def test_every_role_and_policy_has_the_path() -> None:
    """An organisation may allow roles and policies below one path only."""
    for path in ("/", "/team/mail/"):
        created = consumed_by("container", RolePath=path)
        kinds = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
        assert {properties["Path"] for kind in kinds for properties in created.of_type(kind).values()} == {path}


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("RolePath", ["/", "/a/", "/a/b-c/"], ["", "a", "/a", "a/", "//"]),
        (
            "PermissionsBoundary",
            ["", BOUNDARY, "arn:aws:iam::aws:policy/PowerUserAccess"],
            ["boundary", "arn:aws:iam::1:policy/x"],
        ),
    ],
)
def test_the_parameters_of_roles_accept_what_iam_accepts(name: str, valid: list[str], invalid: list[str]) -> None:
    """A path begins and ends with a slash, and a boundary is the ARN of a managed policy."""
    pattern = template()["Parameters"][name]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in valid)
    assert not any(re.search(pattern, value) for value in invalid)
