"""Messages as schedulers, kubelets, runtimes and controllers of Kubernetes 1.20 to 1.35 write them.

Each with what it must be taken for. Names and addresses are changed, the rest is theirs.
"""

# ruff: noqa: E501
from __future__ import annotations

from typing import Any

IMAGE = "registry.example.com/shop/cart:1.2"

# (the waiting container's reason, its message, the code, a piece of the words that are kept)
IMAGES: list[tuple[str, str, str, str]] = [
    # 1.20 to 1.25 with containerd 1.4 to 1.6
    ("ErrImagePull", f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found', "image_not_found", "not found"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: Head "https://registry.example.com/v2/shop/cart/manifests/1.2": dial tcp: lookup registry.example.com on 10.96.0.10:53: no such host', "image_registry_away", "no such host"),
    ("ErrImagePull", f'rpc error: code = DeadlineExceeded desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: Head "https://registry.example.com/v2/shop/cart/manifests/1.2": dial tcp 64.233.189.82:443: i/o timeout', "image_registry_away", "i/o timeout"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": pulling from host registry.example.com failed with status code [manifests 1.2]: 401 Unauthorized', "image_denied", "401 Unauthorized"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed', "image_denied", "authorization failed"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden', "image_denied", "403"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: Head "https://registry.example.com/v2/": x509: certificate signed by unknown authority', "image_registry_tls", "unknown authority"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: Head "https://registry.example.com/v2/": http: server gave HTTP response to HTTPS client', "image_registry_tls", "HTTP response"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to copy: httpReaderSeeker: failed open: unexpected status code https://registry.example.com/v2/shop/cart/manifests/sha256:ab: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.', "image_rate_limit", "rate limit"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": no match for platform in manifest: not found', "image_platform", "platform"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to extract layer sha256:ab: write /var/lib/containerd/x: no space left on device: unknown', "image_no_space", "no space left"),
    ("ErrImagePull", f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": unexpected status from HEAD request to https://registry.example.com/v2/shop/cart/manifests/1.2: 503 Service Unavailable', "image_registry_error", "503"),
    # Docker and CRI-O
    ("ErrImagePull", "rpc error: code = Unknown desc = Error response from daemon: manifest for shop/cart:1.2 not found: manifest unknown: manifest unknown", "image_not_found", "manifest unknown"),
    ("ErrImagePull", "rpc error: code = Unknown desc = Error response from daemon: pull access denied for shop/cart, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", "image_denied", "pull access denied"),
    ("ErrImagePull", "rpc error: code = Unknown desc = Error response from daemon: Get https://registry.example.com/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)", "image_registry_away", "Client.Timeout"),
    ("ErrImagePull", f"rpc error: code = Unknown desc = reading manifest 1.2 in {IMAGE}: name unknown: repository not found", "image_not_found", "name unknown"),
    # 1.26 to 1.30
    ("ErrImagePull", f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to do request: Head "https://registry.example.com/v2/shop/cart/manifests/1.2": dial tcp 31.13.94.49:443: connect: connection timed out', "image_registry_away", "connection timed out"),
    # 1.32 and newer: the back-off keeps the reason
    ("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found', "image_not_found", "not found"),
    ("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": failed to authorize: failed to fetch anonymous token: Get "https://auth.example.com/token": EOF', "image_registry_away", "EOF"),
    # Until 1.31 it does not
    ("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"', "image_not_pulled", ""),
    ("InvalidImageName", "Failed to apply default image tag \"Shop/Cart:1.2\": couldn't parse image reference \"Shop/Cart:1.2\": invalid reference format: repository name must be lowercase", "image_name_wrong", "lowercase"),
    ("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never', "image_never_pulled", "Never"),
]  # fmt: skip

# (reason, message, code, values that must be there)
STARTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("CreateContainerConfigError", 'configmap "settings" not found', "config_missing", {"what": "ConfigMap", "name": "settings"}),
    ("CreateContainerConfigError", 'secret "db-password" not found', "config_missing", {"what": "Secret", "name": "db-password"}),
    ("CreateContainerConfigError", "couldn't find key port in ConfigMap shop/settings", "config_key_missing", {"what": "ConfigMap", "name": "settings", "key": "port"}),
    ("CreateContainerConfigError", "couldn't find key VALUE in Secret default/aegis-secret", "config_key_missing", {"what": "Secret", "name": "aegis-secret", "key": "VALUE"}),
    ("CreateContainerConfigError", 'container has runAsNonRoot and image will run as root (pod: "cart_shop(ab)", container: app)', "run_as_root", {}),
    ("CreateContainerConfigError", 'container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: "cart_shop(ab)", container: app)', "run_as_root", {}),
    ("CreateContainerConfigError", 'failed to prepare subPath for volumeMount "data" of container "app"', "sub_path", {}),
    ("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition", "config_refused", {}),
    # containerd 1.4 with runc 1.0, kubelet 1.20
    ("RunContainerError", 'failed to create containerd task: OCI runtime create failed: container_linux.go:370: starting container process caused: exec: "nosuch": executable file not found in $PATH: unknown', "command_not_found", {"command": "nosuch"}),
    # containerd 1.6 and newer with runc 1.1
    ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/srv/run": stat /srv/run: no such file or directory: unknown', "command_not_found", {"command": "/srv/run"}),
    ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/entrypoint.sh": permission denied: unknown', "command_not_allowed", {"command": "/entrypoint.sh"}),
    ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec /srv/run: exec format error: unknown', "command_format", {"command": "/srv/run"}),
    # Docker
    ("ContainerCannotRun", 'OCI runtime create failed: container_linux.go:367: starting container process caused: exec: \\"./start.sh\\": stat ./start.sh: no such file or directory: unknown', "command_not_found", {"command": "./start.sh"}),
    # CRI-O
    ("CreateContainerError", 'container create failed: time="2024-01-01T00:00:00Z" level=error msg="runc create failed: unable to start container process: exec: \\"./agent\\": stat ./agent: no such file or directory"', "command_not_found", {"command": "./agent"}),
    ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/ab/volume-subpaths/cfg/app/0" to rootfs at "/etc/app.conf": mount /var/lib/kubelet/pods/ab:/etc/app.conf (via /proc/self/fd/6), flags: 0x5001: not a directory: unknown', "start_mount", {"path": "/etc/app.conf"}),
    ("RunContainerError", "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?): unknown", "oom_killed", {"limit": "16Mi"}),
    ("CreateContainerError", "context deadline exceeded", "start_slow", {}),
    ("CreateContainerError", 'failed to reserve container name "app_cart-7f_shop_ab_0": name "app_cart-7f_shop_ab_0" is reserved for "cd"', "start_slow", {}),
    ("CreateContainerError", "Error response from daemon: No command specified", "command_not_given", {}),
    ("CreateContainerError", 'failed to generate container "ab" spec: failed to generate spec: failed to stat "/data": stat /data: no such file or directory', "start_failed", {}),
    ("PostStartHookError", "command '/bin/sh -c exit 1' exited with 1: ", "start_hook", {"hook": "PostStartHookError"}),
    ("RunContainerError", 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error gathering device information while adding custom device "/dev/fuse": no such file or directory: unknown', "start_failed", {}),
    ("CreateContainerError", 'failed to create containerd container: get apparmor_parser version: exec: "apparmor_parser": executable file not found in $PATH', "command_not_found", {"command": "apparmor_parser"}),
]  # fmt: skip

# (message of the scheduler, number of nodes, [[how many, why, what]…])
SCHEDULING: list[tuple[str, int, list[list[Any]]]] = [
    # 1.20
    ("0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate.", 4, [[3, "taint", "node-role.kubernetes.io/master"], [1, "insufficient", "cpu"]]),
    ("0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had taint {dedicated: gpu}, that the pod didn't tolerate.", 2, [[1, "insufficient", "cpu"], [1, "insufficient", "memory"], [1, "taint", "dedicated: gpu"]]),
    ("0/10 nodes are available: 10 node(s) didn't match node selector, 4 Insufficient cpu.", 10, [[10, "selector", ""], [4, "insufficient", "cpu"]]),
    ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity.", 3, [[3, "selector", ""]]),
    ("0/3 nodes are available: 1 node(s) were unschedulable, 2 Too many pods.", 3, [[2, "pods", ""], [1, "cordoned", ""]]),
    ("0/3 nodes are available: 1 node(s) didn't match pod affinity/anti-affinity rules, 1 node(s) didn't match pod anti-affinity rules, 2 node(s) didn't match pod affinity rules.", 3, [[2, "affinity", ""], [1, "anti_affinity", ""], [1, "anti_affinity", ""]]),
    ("0/5 nodes are available: 5 node(s) didn't satisfy existing pods anti-affinity rules.", 5, [[5, "anti_affinity", ""]]),
    ("0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", 3, [[3, "ports", ""]]),
    ("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", 3, [[3, "volume_place", ""]]),
    ("0/3 nodes are available: 2 node(s) exceed max volume count, 1 node(s) had no available volume zone.", 3, [[2, "volume_count", ""], [1, "volume_place", ""]]),
    ("0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", 3, [[3, "volume_none", ""]]),
    # 1.22 to 1.24
    ("0/6 nodes are available: 3 node(s) didn't match pod topology spread constraints, 3 node(s) had taint {node.kubernetes.io/unreachable: }, that the pod didn't tolerate.", 6, [[3, "spread", ""], [3, "taint", "node.kubernetes.io/unreachable"]]),
    ("0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label).", 3, [[3, "spread", ""]]),
    # 1.24 and newer: preemption repeats the number
    ("0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", 3, [[3, "selector", ""], [1, "anti_affinity", ""]]),
    ("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling..", 1, [[1, "taint", "gpu"]]),
    ("0/5 nodes are available: 1 Insufficient nvidia.com/gpu, 4 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are available: 1 No preemption victims found for incoming pod, 4 Preemption is not helpful for scheduling.", 5, [[4, "selector", ""], [1, "insufficient", "nvidia.com/gpu"]]),
    # 1.33 and newer
    ("0/2 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 1 node(s) had untolerated taint {spray: mortein}. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.", 2, [[1, "taint", "node-role.kubernetes.io/control-plane"], [1, "taint", "spray: mortein"]]),
    ("0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.", 3, [[2, "insufficient", "cpu"], [1, "taint", ""]]),
    ("0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.", 2, [[2, "devices", ""]]),
    ("0/3 nodes are available: 3 Insufficient hugepages-2Mi. preemption: not eligible due to preemptionPolicy=Never.", 3, [[3, "insufficient", "hugepages-2Mi"]]),
    ("0/3 nodes are available: 3 node(s) didn't like Mondays.", 3, [[3, "other", "didn't like Mondays"]]),
]  # fmt: skip

# What a pod waits for that is no node's fault: (message, code, values)
VOLUMES_FIRST: list[tuple[str, str, dict[str, Any]]] = [
    ('running "VolumeBinding" filter plugin for pod "cart-0": pod has unbound immediate PersistentVolumeClaims', "claim_unbound", {"claims": "data-cart-0"}),
    ("0/4 nodes are available: 4 pod has unbound immediate PersistentVolumeClaims.", "claim_unbound", {"claims": "data-cart-0"}),
    ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling..", "claim_unbound", {"claims": "data-cart-0"}),
    ('persistentvolumeclaim "data-cart-0" not found', "claim_missing", {"claim": "data-cart-0"}),
    ('0/1 nodes are available: 1 persistentvolumeclaim "data-cart-0" not found.', "claim_missing", {"claim": "data-cart-0"}),
    ('0/1 nodes are available: persistentvolumeclaim "data-cart-0" not found. not found', "claim_missing", {"claim": "data-cart-0"}),
    ("no nodes available to schedule pods", "no_nodes", {}),
]  # fmt: skip

# What the API server refused: (message of an event or condition, code, values)
REFUSALS: list[tuple[str, str, dict[str, Any]]] = [
    ('Error creating: pods "cart-6597bc46dc-2wm8j" is forbidden: exceeded quota: namespace-quota, requested: limits.cpu=1,limits.memory=2Gi, used: limits.cpu=6,limits.memory=12Gi, limited: limits.cpu=6,limits.memory=12Gi', "quota_exceeded", {"quota": "namespace-quota", "resource": "limits.cpu", "requested": "1", "used": "6", "limited": "6", "others": "limits.memory"}),
    ('(combined from similar events): Error creating: pods "cart-544d45c8d5-q5mll" is forbidden: exceeded quota: q, requested: requests.cpu=20m, used: requests.cpu=40m, limited: requests.cpu=50m', "quota_exceeded", {"quota": "q", "resource": "requests.cpu", "requested": "20m", "used": "40m", "limited": "50m"}),
    ('create Pod cart-0 in StatefulSet cart failed error: pods "cart-0" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2', "quota_exceeded", {"quota": "few", "resource": "pods", "requested": "1", "used": "2", "limited": "2"}),
    ('create Pod cart-0 in StatefulSet cart failed error: pods "cart-0" is forbidden: failed quota: fpl-quota: must specify requests.cpu,requests.memory', "quota_unspecified", {"quota": "fpl-quota", "resources": "requests.cpu, requests.memory"}),
    ('Error creating: pods "cart-1" is forbidden: failed quota: compute: must specify limits.cpu for: app; limits.memory for: app', "quota_unspecified", {"quota": "compute", "resources": "limits.cpu"}),
    ('Error creating: pods "cart-1" is forbidden: maximum cpu usage per Container is 1, but limit is 2', "limit_range", {"resource": "cpu", "per": "Container", "limit": "1", "requested": "2", "bound": "max"}),
    ('Error creating: pods "cart-1" is forbidden: [minimum memory usage per Container is 100Mi, but request is 10Mi, minimum cpu usage per Container is 100m, but request is 1m]', "limit_range", {"resource": "memory", "limit": "100Mi", "requested": "10Mi", "bound": "min"}),
    ('Error creating: pods "cart-1" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000', "limit_range_words", {"said": "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"}),
    ('Error creating: pods "cart-1" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false)', "pod_security", {"level": "restricted:latest"}),
    ('Error creating: pods "cart-1" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used]', "pod_security_policy", {}),
    ('Error creating: pods "cart-1" is forbidden: unable to validate against any pod security policy: []', "pod_security_policy", {}),
    ('Error creating: admission webhook "validation.gatekeeper.sh" denied the request: [userpodlimits] container <app> has no cpu limit', "webhook_denied", {"webhook": "validation.gatekeeper.sh", "said": "[userpodlimits] container <app> has no cpu limit"}),
    ('Error creating: Internal error occurred: failed calling webhook "mpod.example.com": Post "https://hook.shop.svc:443/mutate?timeout=10s": dial tcp 10.96.12.7:443: connect: connection refused', "webhook_away", {"webhook": "mpod.example.com"}),
    ('Error creating: Internal error occurred: failed calling webhook "mpod.example.com": failed to call webhook: Post "https://hook.shop.svc:443/mutate": context deadline exceeded', "webhook_away", {"webhook": "mpod.example.com"}),
    ("Error creating: pods \"cart-1\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: failed expression: no latest tag", "policy_denied", {"policy": "no-latest"}),
    ('Error creating: pods "cart-1" is forbidden: error looking up service account shop/cart: serviceaccount "cart" not found', "service_account_missing", {"name": "cart"}),
    ('Error creating: pods "cart-1" is forbidden: no PriorityClass with name urgent was found', "priority_class_missing", {"name": "urgent"}),
    ('Error creating: pods "cart-1" is forbidden: unable to create new content in namespace shop because it is being terminated', "namespace_ending", {}),
    ('Error creating: Pod "cart-1" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit', "create_invalid", {}),
    ('Error creating: pods "cart-1" is forbidden: User "x" cannot create resource "pods"', "create_refused", {}),
]  # fmt: skip

# Events of a scheduled pod without containers: (reason, message, code, values)
MOUNTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("FailedMount", 'MountVolume.SetUp failed for volume "cfg" : configmap "settings" not found', "config_missing", {"what": "ConfigMap", "name": "settings", "volume": "cfg"}),
    ("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', "config_missing", {"what": "Secret", "name": "web-tls"}),
    ("FailedMount", 'MountVolume.SetUp failed for volume "cfg" : references non-existent config key: app.conf', "config_volume_key_missing", {"what": "ConfigMap", "key": "app.conf", "volume": "cfg"}),
    ("FailedMount", 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32 Mounting command: mount Output: mount.nfs: access denied by server while mounting 10.0.0.9:/x', "volume_mount", {"volume": "data"}),
    ("FailedMount", 'MountVolume.SetUp failed for volume "host" : hostPath type check failed: /srv/data is not a directory', "volume_mount", {"volume": "host", "said": "hostPath type check failed: /srv/data is not a directory"}),
    ("FailedMount", 'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data default-token-x]: timed out waiting for the condition', "volume_slow", {"volume": "data"}),
    ("FailedMount", 'MountVolume.NewMounter initialization failed for volume "local" : path "/mnt/disk1" does not exist', "volume_mount", {"volume": "local"}),
    ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-12" Volume is already used by pod(s) cart-1', "volume_multi_attach", {"volume": "pvc-12", "by": "cart-1"}),
    ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-12" Volume is already exclusively attached to one node and can\'t be attached to another', "volume_multi_attach", {"volume": "pvc-12"}),
    ("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-12" : rpc error: code = Internal desc = disk not found', "volume_attach", {"volume": "pvc-12", "said": "disk not found"}),
    ("FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "ab": plugin type="calico" failed (add): error getting ClusterInformation: connection is unauthorized', "sandbox_network", {}),
    ("FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "ab": failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254', "sandbox_addresses", {}),
    ("FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "registry.k8s.io/pause:3.9": not found', "sandbox", {}),
    ("NetworkNotReady", "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized", "sandbox_network", {}),
]  # fmt: skip

# Unhealthy: (message, code, values)
PROBES: list[tuple[str, str, dict[str, Any]]] = [
    ("Readiness probe failed: HTTP probe failed with statuscode: 503", "probe_readiness", {"status": 503}),
    ('Readiness probe failed: Get "http://10.244.54.71:18051/healthcheck": context deadline exceeded (Client.Timeout exceeded while awaiting headers)', "probe_readiness", {"said": "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"}),
    ('Readiness probe failed: Get "http://10.244.2.117:8080/login": dial tcp 10.244.2.117:8080: connect: connection refused', "probe_readiness", {"said": "dial tcp 10.244.2.117:8080: connect: connection refused"}),
    ("Readiness probe failed: Get http://10.200.109.68:6766/warmup: net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "probe_readiness", {"said": "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"}),
    ("Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n", "probe_liveness", {"said": "cat: can't open '/tmp/healthy': No such file or directory"}),
    ("Liveness probe errored: rpc error: code = Unknown desc = failed to exec in container: context deadline exceeded", "probe_liveness", {}),
    ("Startup probe failed: dial tcp 10.1.2.3:5432: connect: connection refused", "probe_startup", {}),
    ('Readiness probe failed: timeout: failed to connect service "10.1.2.3:50051" within 1s', "probe_readiness", {}),
    ("Readiness probe errored and resulted in unknown state: rpc error: code = NotFound desc = container not found", "probe_readiness", {}),
]  # fmt: skip

# Evictions: (message, code, values)
EVICTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("The node was low on resource: memory. Threshold quantity: 100Mi, available: 17348Ki. Container app was using 188Ki, request is 0, has larger consumption of memory. ", "evicted_low", {"resource": "memory", "threshold": "100Mi", "available": "17348Ki", "container": "app", "used": "188Ki", "requested": "0"}),
    ("The node was low on resource: memory. Container httpd-container was using 22Mi, which exceeds its request of 15Mi. ", "evicted_low", {"resource": "memory", "container": "httpd-container", "used": "22Mi", "requested": "15Mi"}),
    ("The node was low on resource: ephemeral-storage. Threshold quantity: 2722654248, available: 1600496Ki. ", "evicted_low", {"resource": "ephemeral-storage", "threshold": "2722654248", "available": "1600496Ki"}),
    ("The node was low on resource: [DiskPressure]. ", "evicted_low", {"resource": "disk"}),
    ("Pod ephemeral local storage usage exceeds the total limit of containers 100Mi. ", "evicted_over_limit", {"limit": "100Mi"}),
    ('Container app exceeded its local ephemeral storage limit "50Mi". ', "evicted_over_limit", {"container": "app", "limit": "50Mi"}),
    ('Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ', "evicted_over_limit", {"volume": "cache", "limit": "10Mi"}),
    ("The node had condition: [DiskPressure]. ", "evicted", {}),
]  # fmt: skip

# Ready of nodes: (status, reason, message, code)
NODES: list[tuple[str, str, str, str]] = [
    ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", "node_away"),
    ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.", "node_never_reported"),
    ("False", "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized", "node_network_plugin"),
    ("False", "KubeletNotReady", "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized", "node_network_plugin"),
    ("False", "KubeletNotReady", "container runtime is down", "node_runtime"),
    ("False", "KubeletNotReady", "PLEG is not healthy: pleg was last seen active 3m17.028393648s ago; threshold is 3m0s", "node_runtime"),
    ("False", "KubeletNotReady", "[container runtime is down, PLEG is not healthy: pleg has yet to be successful]", "node_runtime"),
    ("False", "KubeletNotReady", "[container runtime status check may not have completed yet, PLEG is not healthy: pleg has yet to be successful]", "node_runtime"),
    ("False", "KubeletNotReady", "node is shutting down", "node_shutting_down"),
    ("False", "KubeletNotReady", "[CSINode is not yet initialized]", "node_starting"),
    ("False", "KubeletNotReady", "failed to initialize CSINode: error updating CSINode annotation", "node_not_ready"),
]  # fmt: skip

# Events of claims: (class, reason, message, code, values)
CLAIMS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("", "FailedBinding", "no persistent volumes available for this claim and no storage class is set", "claim_no_class", {"requested": "1Gi"}),
    ("fast", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found', "claim_class_missing", {"class_name": "fast"}),
    ("local", "WaitForFirstConsumer", "waiting for first consumer to be created before binding", "claim_waits_for_pod", {}),
    ("local", "WaitForPodScheduled", "waiting for pod cart-0 to be scheduled", "claim_waits_for_pod", {}),
    ("ebs", "ExternalProvisioning", 'waiting for a volume to be created, either by external provisioner "ebs.csi.aws.com" or manually created by system administrator', "claim_provisioner", {"provisioner": "ebs.csi.aws.com"}),
    ("ebs", "ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.", "claim_provisioner", {"provisioner": "ebs.csi.aws.com"}),
    ("ebs", "ProvisioningFailed", 'failed to provision volume with StorageClass "ebs": rpc error: code = ResourceExhausted desc = volume limit exceeded', "claim_failed", {"said": "volume limit exceeded", "class_name": "ebs"}),
    ("slow", "VolumeMismatch", 'Cannot bind to requested volume "pv1": requested PV is too small', "claim_mismatch", {}),
]  # fmt: skip

# Conditions of namespaces that do not end: (type, message, code, values)
NAMESPACES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("NamespaceFinalizersRemaining", "Some content in the namespace has finalizers remaining: example.com/cleanup in 2 resource instances", "namespace_finalizers", {"finalizers": "example.com/cleanup (2)"}),
    ("NamespaceContentRemaining", "Some resources are remaining: pods. has 2 resource instances, widgets.example.com has 1 resource instances", "namespace_content", {"contents": "pods (2), widgets.example.com (1)"}),
    ("NamespaceDeletionDiscoveryFailure", "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: the server is currently unable to handle the request", "namespace_discovery", {"said": "metrics.k8s.io/v1beta1: the server is currently unable to handle the request"}),
    ("NamespaceDeletionContentFailure", "Failed to delete all resource types, 1 remaining: Internal error occurred: failed calling webhook", "namespace_content_failure", {}),
]  # fmt: skip
