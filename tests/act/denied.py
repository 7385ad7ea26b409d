# SPDX-License-Identifier: Apache-2.0
"""No way of aiming at a forbidden address gets there: EACCES, and the witness hears nothing."""
from world import expect, program

POLICY = """gae-policy 1
deny  tcp,udp to {{ 127.0.0.2 fd00::2 }}
deny  tcp,udp to {{ 127.0.0.1 ::1 }} port {port}
allow tcp,udp to any
bind any
sockopt any any pass
"""
# Refused for what they carry; natively the packets go somewhere else than to the witness.
NOT_HEARD = {"udp_source_route", "udp_routing_header"}
# Here the allowed part of the call arrives, and nothing else may.
ALLOWED = "udp ::ffff:127.0.0.3"


def attempt(name):
    def test(world):
        witness = world.witness()
        command = [program("aims"), name, str(witness.port)]
        native = world.native(*command, timeout=20)
        heard = [place for place in witness.heard() if place != ALLOWED]
        # Routing headers of type 2 exist only in kernels with Mobile IPv6; elsewhere the error still differs.
        expected = ("done", "EINVAL") if name == "udp_routing_header" else ("done",)
        expect(native.stdout in [f"{name}: {result}\n" for result in expected], f"natively: {native.stdout} {native.stderr}")
        expect(heard or name in NOT_HEARD or name == "udp_packet_info", "natively the witness hears nothing")
        policy = POLICY.format(port=witness.port)
        if name == "udp_packet_info":
            policy = policy.replace("bind any", "bind ephemeral")  # a local address is what it chooses
        fenced = world.fenced(world.policy(policy), *command, timeout=20)
        heard = [place for place in witness.heard() if place != ALLOWED]
        expect(fenced.stdout == f"{name}: EACCES\n", f"fenced: {fenced.stdout} {fenced.stderr}")
        expect(not heard, f"the witness heard {heard}")
    return test


def allowed_arrives(world):
    """The same program reaches what is allowed: the fence refuses by address, not by call."""
    witness = world.witness()
    policy = world.policy("gae-policy 1\nallow tcp,udp to any\nbind any\nsockopt any any pass\n")
    for name in ("tcp_connect", "fast_open", "udp_sendto", "udp_sendmmsg_last", "udp_v4_on_v6", "udp_teredo"):
        fenced = world.fenced(policy, program("aims"), name, str(witness.port), timeout=20)
        expect(fenced.stdout == f"{name}: done\n", f"{name}: {fenced.stdout} {fenced.stderr}")
        expect(witness.heard(), f"{name}: the witness heard nothing")


def tests():
    import subprocess
    names = subprocess.run([program("aims")], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        yield f"denied: {name}", attempt(name)
    yield "denied: what is allowed arrives", allowed_arrives
