"""What a step may ask for: each resource knows its plan, its check, its apply and its verify.

A resource is frozen data. `evaluate` compares it with stored facts (the plan);
`script` is the call of a prelude function that checks it again on the host,
journals what was there, makes it true and verifies it (the run). Both come
from the same fields, so the plan is what runs.
"""

from provisioning.steps.resource import Payloads, Resource, digest
from provisioning.steps.resources_files import Command, Directory, File, Image, Link, Upload
from provisioning.steps.resources_system import (
    Hostname,
    HostsEntries,
    KernelModule,
    Note,
    Package,
    Probe,
    Swap,
    Sysctl,
    Unit,
    Wait,
)

__all__ = [
    "Command",
    "Directory",
    "File",
    "Hostname",
    "HostsEntries",
    "Image",
    "KernelModule",
    "Link",
    "Note",
    "Package",
    "Payloads",
    "Probe",
    "Resource",
    "Swap",
    "Sysctl",
    "Unit",
    "Upload",
    "Wait",
    "digest",
]
