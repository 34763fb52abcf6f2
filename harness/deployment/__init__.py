"""One customer's set-up, checked: :class:`Deployment`, what a deployment file describes.

A deployment of kind ``simulated`` leaves hosts, binds and passwords out; the world that is started for it fills them in
(:func:`from_plain`). Everything that judges sees only filled-in deployments, so it cannot tell one kind from another.
"""

from __future__ import annotations

from harness.deployment.ai import Campaign, Escalation, Synthflow
from harness.deployment.model import Deployment, from_plain, to_plain
from harness.deployment.network import Account, CertificateFiles, PhoneEntry, Platform, StandIn, Trunk
from harness.deployment.replicas import replicas_from_plain, replicas_to_plain
from harness.deployment.report import Report, ReportField, plain_name, plain_signs
from harness.deployment.routing import TOPIC_HEADER, Assistant, Group, Handover, Line, RoutedBy
from harness.deployment.tables import IDLE
from harness.deployment.terms import Axes, DeclaredTimings, Expectations, ExtraNumbers, Limits, Manners, Safety, Timings
from harness.deployment.values import (
    CALLS_A_PHONE,
    E164,
    OWN_PHONES,
    PLAIN_PORT,
    SIP_NUMBER,
    STAND_IN,
    STRANGER,
    SYNTHFLOW_ID,
    TLS_PORT,
    Ai,
    Behaviour,
    CallerIdMode,
    Digits,
    Key,
    Kind,
    Secret,
    Source,
    Transport,
    Way,
    WebAddress,
    Witness,
    in_uri,
    is_address,
    is_digit,
    is_ipv6,
)

__all__ = [
    "CALLS_A_PHONE",
    "E164",
    "IDLE",
    "OWN_PHONES",
    "PLAIN_PORT",
    "SIP_NUMBER",
    "STAND_IN",
    "STRANGER",
    "SYNTHFLOW_ID",
    "TLS_PORT",
    "TOPIC_HEADER",
    "Account",
    "Ai",
    "Assistant",
    "Axes",
    "Behaviour",
    "CallerIdMode",
    "Campaign",
    "CertificateFiles",
    "DeclaredTimings",
    "Deployment",
    "Digits",
    "Escalation",
    "Expectations",
    "ExtraNumbers",
    "Group",
    "Handover",
    "Key",
    "Kind",
    "Limits",
    "Line",
    "Manners",
    "PhoneEntry",
    "Platform",
    "Report",
    "ReportField",
    "RoutedBy",
    "Safety",
    "Secret",
    "Source",
    "StandIn",
    "Synthflow",
    "Timings",
    "Transport",
    "Trunk",
    "Way",
    "WebAddress",
    "Witness",
    "from_plain",
    "in_uri",
    "is_address",
    "is_digit",
    "is_ipv6",
    "plain_name",
    "plain_signs",
    "replicas_from_plain",
    "replicas_to_plain",
    "to_plain",
]
