"""AWS as moto plays it: `python tests/aws/emulator.py [CALLS]` prints its port, and ends with its input.

Where moto answers what AWS never would, and that is in a site's way, it is put right here: nowhere in
the code under test is there a switch for it. CALLS is a file for the action of every call, one a line.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import utcnow
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.responses import IamResponse
from moto.route53.models import HealthCheck
from moto.route53.responses import Route53
from moto.s3.models import FakeBucket
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_KEY_PREFIX = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"


_OF_AN_ALARM = ("AlarmIdentifier", "InsufficientDataHealthStatus")


def host_key(instance_id: str) -> str:
    """The public ssh key of an instance: always the same, and another for each."""
    key = _KEY_PREFIX + hashlib.sha256(instance_id.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(key).decode()}"


def console(instance_id: str) -> str:
    """What cloud-init shows on an instance's console at its first boot."""
    return (
        "Cloud-init v. 25.1.4 running 'modules:final'\r\n"
        "-----BEGIN SSH HOST KEY KEYS-----\r\n"
        f"{host_key(instance_id)} root@host\r\n"
        "-----END SSH HOST KEY KEYS-----\r\n"
    )


def _get_console_output(self: General) -> ActionResult:
    """cloud-init's words, where moto has those of some kernel."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    text = base64.b64encode(console(instance.id).encode()).decode()
    return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": text})


def _register_image(self: AmisResponse) -> ActionResult:
    """An image with the architecture and the root volume that it is registered with, which moto drops."""
    image = self.ec2_backend.register_image(self._get_param("Name"), self._get_param("Description", ""))
    image.architecture = self._get_param("Architecture")
    image.virtualization_type = self._get_param("VirtualizationType")
    image.root_device_name = self._get_param("RootDeviceName")
    image.root_device_type = "ebs"
    return ActionResult({"ImageId": image.id})


def _with_groups_of_its_interface(make: Callable[..., None]) -> Callable[..., None]:
    """An instance has the groups that are given with its network interface: moto's has none."""

    def made(self: Instance, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as moto's own
        make(self, *args, **kwargs)
        if not self.security_groups and self.nics:
            self.security_groups = list(self.nics[0].group_set)

    return made


def _with_address_free(terminate: Callable[..., Any]) -> Callable[..., Any]:
    """The address of an instance that is terminated may be given out again: moto keeps it for ever."""

    def ended(self: Instance) -> Any:  # noqa: ANN401 - as moto's own
        answer = terminate(self)
        for interface in self.nics.values():
            interface.subnet.del_subnet_ip(interface.private_ip_address)
        return answer

    return ended


def _with_termination_protection(run: Callable[[InstanceResponse], ActionResult]) -> Any:  # noqa: ANN401
    """Instances that are protected from the beginning: moto drops that."""

    def ran(self: InstanceResponse) -> ActionResult:
        answer = run(self)
        for instance in answer.result.instances:  # type: ignore[attr-defined]
            instance.disable_api_termination = bool(self._get_param("DisableApiTermination"))
        return answer

    return ran


def _change_instance(self: InstanceResponse) -> bool:
    """What moto takes for new groups, whatever it is: it may be what an instance's own shutdown does."""
    instance_id = self._get_param("InstanceId")
    behavior = self._get_param("InstanceInitiatedShutdownBehavior.Value")
    if behavior:
        self.ec2_backend.get_instance(instance_id).instance_initiated_shutdown_behavior = behavior
    if groups := self._get_param("Groups", []):
        self.ec2_backend.modify_instance_security_groups(instance_id, groups)
    return True


def _or_none(association: property) -> property:
    """An interface without a public address has no association: moto's has an empty one."""

    def found(self: NetworkInterface) -> Any:  # noqa: ANN401
        return association.fget(self) or None if association.fget else None

    return property(found)


def _with_its_alarm(create: Callable[[Route53], ActionResult]) -> Any:  # noqa: ANN401
    """A health check that follows an alarm knows which one: moto's does not."""

    def created(self: Route53) -> ActionResult:
        answer = create(self)
        asked = self._get_param("HealthCheckConfig")
        made = answer.result["HealthCheck"]  # type: ignore[index]
        made.follows = {key: asked[key] for key in _OF_AN_ALARM if key in asked}
        return answer

    return created


def _with_what_it_follows(config: property) -> property:
    """What only checks of an address have, moto shows of all."""

    def shown(self: HealthCheck) -> Any:  # noqa: ANN401
        known = config.fget(self) if config.fget else {}
        if self.type_ != "CLOUDWATCH_METRIC":
            return known
        return {key: known[key] for key in ("Type", "Inverted", "Disabled")} | vars(self).get("follows", {})

    return property(shown)


def _permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What a bucket's policy says: moto hears the statements, but not their conditions."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(self.policy)
    heard = [each for each in document["Statement"] if "Condition" not in each]
    return IAMPolicy(json.dumps({**document, "Statement": heard})).is_action_permitted(action, resource)


def _add_client_id(self: IamResponse) -> ActionResult:
    """One more audience of an identity provider, which moto cannot add."""
    provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
    provider.client_id_list.append(self._get_param("ClientID"))
    return ActionResult({})


def _recorded(call: Callable[[BaseResponse], Any], calls: TextIO) -> Callable[[BaseResponse], Any]:
    def called(self: BaseResponse) -> Any:  # noqa: ANN401
        calls.write(f"{self.access_key} {self.service_name}:{self._get_action()}\n")
        return call(self)

    return called


def put_right() -> None:
    """Have moto answer as AWS does."""
    right: dict[Any, dict[str, Any]] = {
        General: {"get_console_output": _get_console_output},
        AmisResponse: {"register_image": _register_image},
        Instance: {
            "__init__": _with_groups_of_its_interface(Instance.__init__),
            "terminate": _with_address_free(Instance.terminate),
        },
        InstanceResponse: {
            "run_instances": _with_termination_protection(InstanceResponse.run_instances),
            "_security_grp_instance_attribute_handler": _change_instance,
        },
        Route53: {"create_health_check": _with_its_alarm(Route53.create_health_check)},
        HealthCheck: {"health_check_config": _with_what_it_follows(vars(HealthCheck)["health_check_config"])},
        FakeBucket: {"get_permission": _permission},
        NetworkInterface: {"association": _or_none(vars(NetworkInterface)["association"])},
    }
    for kind, methods in right.items():
        for name, method in methods.items():
            if name not in vars(kind):
                raise AttributeError(f"moto's {kind.__name__} has no {name} any more")
            setattr(kind, name, method)
    IamResponse.add_client_id_to_open_id_connect_provider = _add_client_id  # type: ignore[attr-defined]


def main(arguments: list[str]) -> None:
    """Serve until the standard input is closed: with whoever started this, however that ends."""
    put_right()
    if arguments:
        calls = Path(arguments[0]).open("w", buffering=1)  # noqa: SIM115 - open for as long as this runs
        BaseResponse.call_action = _recorded(BaseResponse.call_action, calls)  # type: ignore[assignment, method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)  # noqa: T201 - it is told so
    while os.read(sys.stdin.fileno(), 1 << 10):
        pass
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
