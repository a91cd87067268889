# The files of a standard cluster's hosts, for create_standard.sh, which sources this and sets:
# c (folder of certificates), work, bin, pki, local, entry, hosts, cps, token_id, token, secret_key,
# minor, driver, alone, and what its own head names.
# shellcheck shell=bash disable=SC2154

# --- every node

kubeconfig() { # server, user, the user's JSON
  cat <<EOF
apiVersion: v1
kind: Config
clusters: [{name: $CLUSTER, cluster: {server: "$1", certificate-authority-data: $(base64 -w0 "$c/ca.crt")}}]
users: [{name: $2, user: {$3}}]
contexts: [{name: $2, context: {cluster: $CLUSTER, user: $2}}]
current-context: $2
EOF
}
signed() { # certificate
  echo "client-certificate-data: $(base64 -w0 "$c/$1.crt"), client-key-data: $(base64 -w0 "$c/$1.key")"
}
unit() { # folder, name, description, after, extra, command...
  local path=$1/etc/systemd/system/$2.service description=$3 after=$4 extra=$5; shift 5
  cat >"$path" <<EOF
[Unit]
Description=$description
After=$after
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
$extra
ExecStart=$*
Restart=always
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
EOF
}
node_files() { # folder, host, its number, the API as it reaches it
  local t=$1 n ip; n=$(name "$2") ip=$(address "$2")
  mkdir -p "$t$pki" "$t/etc/systemd/system" "$t/etc/cni/net.d" "$t/etc/kubernetes/objects"
  cp "$c/ca.crt" "$t$pki/ca.crt"
  cp "$c/kubelet-$n.crt" "$t$pki/kubelet.crt"; cp "$c/kubelet-$n.key" "$t$pki/kubelet.key"
  kubeconfig "$4" system:kube-proxy "$(signed "kube-proxy-$n")" >"$t/etc/kubernetes/kube-proxy.conf"
  kubeconfig "$4" bootstrap "token: $token_id.$token" >"$t/etc/kubernetes/bootstrap-kubelet.conf"
  cat >"$t/etc/kubernetes/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true, cacheTTL: 2m0s}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
readOnlyPort: 0
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
tlsMinVersion: VersionTLS12
rotateCertificates: true
cgroupDriver: $driver
clusterDomain: cluster.local
failSwapOn: $alone
protectKernelDefaults: $alone
makeIPTablesUtilChains: true
volumePluginDir: /var/lib/kubelet/volume-plugins
containerLogMaxSize: 10Mi
healthzBindAddress: 127.0.0.1
EOF
  if [ "$minor" -ge 27 ]; then
    echo "containerRuntimeEndpoint: unix:///run/containerd/containerd.sock" >>"$t/etc/kubernetes/kubelet.yaml"
  else
    printf '%s\n' 'nodeStatusUpdateFrequency: 2s' 'nodeStatusReportFrequency: 5m0s' >>"$t/etc/kubernetes/kubelet.yaml"
  fi
  cat >"$t/etc/kubernetes/kube-proxy.yaml" <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: /etc/kubernetes/kube-proxy.conf}
mode: iptables
clusterCIDR: 10.244.0.0/16
hostnameOverride: $n
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
EOF
  $alone || echo 'conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}' \
    >>"$t/etc/kubernetes/kube-proxy.yaml"
  local old=() taint=() environment="Type=simple" role=control-plane
  [ "$minor" -ge 24 ] || role=master
  ! is_cp "$2" || taint=("--register-with-taints=node-role.kubernetes.io/$role=:NoSchedule")
  [ "$minor" -ge 27 ] || old=(--container-runtime=remote
    --container-runtime-endpoint=unix:///run/containerd/containerd.sock "--pod-infra-container-image=$PAUSE_IMAGE")
  [ "$minor" -ge 27 ] || environment=$'Type=simple\nEnvironment=AWS_EC2_METADATA_DISABLED=true'
  unit "$t" kubelet "Kubernetes node agent" \
    "network-online.target containerd.service kubernetes-network.service" "$environment" \
    $bin/kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
    --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --cert-dir=/var/lib/kubelet/pki \
    "--hostname-override=$n" "--node-ip=$ip" "${old[@]}" "${taint[@]}"
  unit "$t" kube-proxy "Kubernetes service proxy" network-online.target Type=simple \
    $bin/kube-proxy --config=/etc/kubernetes/kube-proxy.yaml
  cat >"$t/etc/kubernetes/network.sh" <<EOF
#!/bin/sh -e
rule() { t=\$1; c=\$2; shift 2; iptables -w -t \$t -C \$c "\$@" 2>/dev/null || iptables -w -t \$t -A \$c "\$@"; }
$(for i in "${!hosts[@]}"; do
    [ "$i" = "$3" ] || echo "ip route replace 10.244.$i.0/24 via $(address "${hosts[$i]}")"
  done)
rule nat POSTROUTING -s 10.244.0.0/16 -d 224.0.0.0/4 -j RETURN
rule nat POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
rule filter FORWARD -s 10.244.0.0/16 -j ACCEPT
rule filter FORWARD -d 10.244.0.0/16 -j ACCEPT
EOF
  chmod 755 "$t/etc/kubernetes/network.sh"
  cat >"$t/etc/systemd/system/kubernetes-network.service" <<EOF
[Unit]
Description=Routes between the pods of this cluster
After=network-online.target
Wants=network-online.target
Before=kubelet.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/kubernetes/network.sh
[Install]
WantedBy=multi-user.target
EOF
  cat >"$t/etc/cni/net.d/10-kubernetes.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "kubernetes", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.$3.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
}

# --- control planes

ciphers=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ciphers+=,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
ciphers+=,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
delegated() {
  local conf=/etc/kubernetes/$1.conf
  echo "--kubeconfig=$conf --authentication-kubeconfig=$conf --authorization-kubeconfig=$conf" \
    "--authentication-skip-lookup=true --client-ca-file=$pki/ca.crt" \
    "--requestheader-client-ca-file=$pki/front-proxy-ca.crt --bind-address=127.0.0.1 --profiling=false" \
    "--leader-elect=true $([ "$minor" -ge 23 ] || echo --port=0)"
}
control_plane_files() { # folder, host
  local x=$1 n ip f anonymous=--anonymous-auth=false; n=$(name "$2") ip=$(address "$2")
  local members; members=$(for h in "${cps[@]}"; do echo "$(name "$h")=https://$(address "$h"):2380"; done | paste -sd,)
  mkdir -p "$x$pki/etcd"
  cp "$c/etcd-ca.crt" "$x$pki/etcd/ca.crt"
  for f in server peer; do cp "$c/etcd-$f-$n.crt" "$x$pki/etcd/$f.crt"; cp "$c/etcd-$f-$n.key" "$x$pki/etcd/$f.key"; done
  for f in apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-client; do
    cp "$c/$f-$n.crt" "$x$pki/$f.crt"; cp "$c/$f-$n.key" "$x$pki/$f.key"
  done
  cp "$c/ca.key" "$c/front-proxy-ca.crt" "$c/sa.pub" "$c/sa.key" "$x$pki/"
  kubeconfig $local system:kube-controller-manager "$(signed "controller-manager-$n")" >"$x/etc/kubernetes/controller-manager.conf"
  kubeconfig $local system:kube-scheduler "$(signed "scheduler-$n")" >"$x/etc/kubernetes/scheduler.conf"
  kubeconfig $local kubernetes-admin "$(signed "admin-$n")" >"$x/etc/kubernetes/admin.conf"
  cat >"$x/etc/kubernetes/encryption.yaml" <<EOF
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources: [{resources: [secrets], providers: [{secretbox: {keys: [{name: key1, secret: $secret_key}]}}, {identity: {}}]}]
EOF
  cat >"$x/etc/kubernetes/audit-policy.yaml" <<'EOF'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, nonResourceURLs: [/healthz*, /livez*, /readyz*, /version]}
- {level: None, resources: [{group: '', resources: [events]}]}
- {level: None, resources: [{group: events.k8s.io, resources: [events]}]}
- {level: None, verbs: [get, list, watch, update, patch], resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: None, userGroups: ['system:nodes'], verbs: [watch]}
- {level: Metadata, resources: [{group: '', resources: [secrets, serviceaccounts/token]}]}
- {level: None, users: ['system:apiserver', 'system:kube-controller-manager', 'system:kube-proxy', 'system:kube-scheduler'], verbs: [get, list, watch]}
- {level: None, userGroups: ['system:serviceaccounts:kube-system'], verbs: [get, list, watch]}
- {level: None, userGroups: ['system:nodes'], verbs: [get, list]}
- {level: None, userGroups: ['system:nodes'], verbs: [update, patch], resources: [{group: '', resources: [nodes, nodes/status, pods/status]}]}
- {level: Request, verbs: [create, update, patch, delete, deletecollection], resources: [{group: '', resources: [namespaces, nodes, resourcequotas, limitranges]}, {group: rbac.authorization.k8s.io, resources: [roles, rolebindings, clusterroles, clusterrolebindings]}, {group: policy, resources: [podsecuritypolicies]}, {group: scheduling.k8s.io, resources: [priorityclasses]}, {group: admissionregistration.k8s.io, resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations, validatingadmissionpolicies, validatingadmissionpolicybindings]}]}
- {level: Metadata}
EOF
  if [ "$minor" -ge 32 ]; then
    anonymous=--authentication-config=/etc/kubernetes/authentication.yaml
    cat >"$x/etc/kubernetes/authentication.yaml" <<EOF
apiVersion: apiserver.config.k8s.io/$([ "$minor" -ge 34 ] && echo v1 || echo v1beta1)
kind: AuthenticationConfiguration
anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}
EOF
  fi
  printf 'ETCD_INITIAL_CLUSTER=%s\nETCD_INITIAL_CLUSTER_STATE=new\n' "$members" >"$x/etc/kubernetes/etcd-initial.env"
  unit "$x" etcd "etcd, the store of the cluster" network-online.target $'Type=notify\nTimeoutStartSec=150\nEnvironmentFile=-/etc/kubernetes/etcd-initial.env' \
    $bin/etcd "--name=$n" --data-dir=/var/lib/etcd \
    "--listen-client-urls=https://$ip:2379,https://127.0.0.1:2379" "--advertise-client-urls=https://$ip:2379" \
    "--listen-peer-urls=https://$ip:2380" "--initial-advertise-peer-urls=https://$ip:2380" \
    "--initial-cluster-token=$CLUSTER" \
    --listen-metrics-urls=http://127.0.0.1:2381 --cert-file=$pki/etcd/server.crt --key-file=$pki/etcd/server.key \
    --trusted-ca-file=$pki/etcd/ca.crt --client-cert-auth=true --peer-cert-file=$pki/etcd/peer.crt \
    --peer-key-file=$pki/etcd/peer.key --peer-trusted-ca-file=$pki/etcd/ca.crt --peer-client-cert-auth=true --pre-vote=true \
    --auto-compaction-mode=periodic --auto-compaction-retention=8h --quota-backend-bytes=8589934592
  unit "$x" kube-apiserver "Kubernetes API server" "network-online.target etcd.service" $'Type=notify\nTimeoutStartSec=180' \
    $bin/kube-apiserver "--advertise-address=$ip" --secure-port=6443 --etcd-servers=https://127.0.0.1:2379 \
    --etcd-cafile=$pki/etcd/ca.crt --etcd-certfile=$pki/apiserver-etcd-client.crt \
    --etcd-keyfile=$pki/apiserver-etcd-client.key --service-cluster-ip-range=10.96.0.0/16 \
    --client-ca-file=$pki/ca.crt --tls-cert-file=$pki/apiserver.crt --tls-private-key-file=$pki/apiserver.key \
    --tls-min-version=VersionTLS12 --tls-cipher-suites=$ciphers --kubelet-certificate-authority=$pki/ca.crt \
    --kubelet-client-certificate=$pki/apiserver-kubelet-client.crt \
    --kubelet-client-key=$pki/apiserver-kubelet-client.key \
    --kubelet-preferred-address-types=InternalIP,Hostname \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file=$pki/sa.pub --service-account-signing-key-file=$pki/sa.key \
    --requestheader-client-ca-file=$pki/front-proxy-ca.crt --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
    --requestheader-username-headers=X-Remote-User --proxy-client-cert-file=$pki/front-proxy-client.crt \
    --proxy-client-key-file=$pki/front-proxy-client.key --authorization-mode=Node,RBAC \
    --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true $anonymous \
    --allow-privileged=true --shutdown-delay-duration=3s --profiling=false --encryption-provider-config=/etc/kubernetes/encryption.yaml \
    --audit-policy-file=/etc/kubernetes/audit-policy.yaml --audit-log-path=/var/log/kubernetes/audit.log --audit-log-mode=batch \
    --audit-log-maxage=30 --audit-log-maxbackup=10 --audit-log-maxsize=100
  # shellcheck disable=SC2046
  unit "$x" kube-controller-manager "Kubernetes controller manager" "network-online.target etcd.service" Type=simple \
    $bin/kube-controller-manager $(delegated controller-manager) --allocate-node-cidrs=false \
    --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/16 "--cluster-name=$CLUSTER" \
    --cluster-signing-cert-file=$pki/ca.crt --cluster-signing-key-file=$pki/ca.key --cluster-signing-duration=8760h \
    --root-ca-file=$pki/ca.crt --service-account-private-key-file=$pki/sa.key --use-service-account-credentials=true \
    "--controllers=*,bootstrapsigner,tokencleaner" --terminated-pod-gc-threshold=1000 \
    --kube-api-qps=100 --kube-api-burst=150 \
    --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
  # shellcheck disable=SC2046
  unit "$x" kube-scheduler "Kubernetes scheduler" "network-online.target etcd.service" Type=simple \
    $bin/kube-scheduler $(delegated scheduler)
  entry_files "$x" "$2"
}

# --- the way in

entry_files() { # folder, host: HAProxy in front of all API servers, keepalived that moves the VIP
  local x=$1 n ip link prefix place=0 i run=/run/flotilla-vip; n=$(name "$2") ip=$(address "$2")
  read -r link prefix <"$work/link-$n"
  for i in "${!cps[@]}"; do [ "${cps[$i]}" != "$2" ] || place=$i; done
  mkdir -p "$x/etc/haproxy" "$x/etc/keepalived" "$x"/etc/systemd/system/{haproxy,keepalived}.service.d
  cat "$c/haproxy-$n.crt" "$c/haproxy-$n.key" >"$x$pki/haproxy.pem"
  cat >"$x/etc/haproxy/haproxy.cfg" <<EOF
global
    log stdout format raw daemon info
    chroot /var/lib/haproxy
    user haproxy
    group haproxy
    stats socket $run/haproxy.sock mode 600 level admin expose-fd listeners
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-server-options ssl-min-ver TLSv1.2
    hard-stop-after 5h

defaults
    log global
    option dontlognull
    option dontlog-normal
    timeout connect 500ms
    timeout check 2s
    retries 3
    option redispatch 1

frontend api
    mode tcp
    option tcplog
    bind *:8443
    timeout client 4h
    option clitcpka
    clitcpka-idle 60s
    clitcpka-intvl 10s
    clitcpka-cnt 3
    default_backend api-servers

backend api-servers
    mode tcp
    balance leastconn
    timeout server 4h
    option srvtcpka
    srvtcpka-idle 60s
    srvtcpka-intvl 10s
    srvtcpka-cnt 3
    option httpchk GET /readyz
    http-check expect status 200
    option log-health-checks
    default-server check check-ssl verify required ca-file $pki/ca.crt crt $pki/haproxy.pem inter 1s fastinter 200ms downinter 500ms fall 2 rise 2 on-marked-down shutdown-sessions observe layer4 error-limit 2 on-error sudden-death
$(for h in "${cps[@]}"; do echo "    server $(name "$h") $(address "$h"):6443 verifyhost $(name "$h") check-sni $(name "$h")"; done)

frontend console
    mode http
    option httplog
    bind *:8444 ssl crt $pki/haproxy.pem ca-file $pki/ca.crt verify required
    timeout client 10s
    timeout http-request 5s
    timeout http-keep-alive 10s
    http-request deny deny_status 403 unless { ssl_c_s_dn(CN) -m str flotilla:console }
    http-request deny deny_status 405 unless METH_GET
    http-request return status 200 content-type text/plain string $n if { path /holder }
    http-request deny deny_status 404 unless { path_beg /stats }
    stats enable
    stats uri /stats
    stats hide-version

frontend alive
    mode http
    no log
    bind 127.0.0.1:8445
    timeout client 2s
    monitor-uri /
    http-request deny
EOF
  cat >"$x/etc/systemd/system/haproxy.service.d/cluster.conf" <<EOF
[Unit]
StartLimitIntervalSec=0
[Service]
BindReadOnlyPaths=
RuntimeDirectory=${run#/run/}
RuntimeDirectoryPreserve=yes
ExecStartPost=/bin/sh -c 'echo 0 >$run/haproxy-down'
ExecStopPost=/bin/sh -c 'echo 1 >$run/haproxy-down'
Nice=-15
Restart=always
RestartSec=100ms
LimitNOFILE=65536
EOF
  cat >"$x/etc/keepalived/haproxy-answers" <<'EOF'
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/8445 || exit 1
printf 'GET / HTTP/1.0\r\n\r\n' >&3
read -r -t 1 line <&3 && [[ $line == HTTP/*' 200 '* ]]
EOF
  chmod 755 "$x/etc/keepalived/haproxy-answers"
  cat >"$x/etc/keepalived/keepalived.conf" <<EOF
global_defs {
    router_id $n
    vrrp_version 3
    vrrp_check_unicast_src
    vrrp_rt_priority 50
    vrrp_no_swap
    enable_script_security
    script_user nobody
}
track_file haproxy_down {
    file "$run/haproxy-down"
    weight 0
}
vrrp_script haproxy_answers {
    script "/etc/keepalived/haproxy-answers"
    interval 1
    timeout 2
    fall 3
    rise 1
}
vrrp_instance api {
    state BACKUP
    nopreempt
    interface $link
    virtual_router_id $ROUTER_ID
    priority $((254 - 10 * place))
    advert_int 0.2
    unicast_src_ip $ip
    unicast_peer {
$(for h in "${cps[@]}"; do [ "$h" = "$2" ] || echo "        $(address "$h")"; done)
    }
    virtual_ipaddress {
        $VIP/$prefix dev $link
    }
    garp_master_repeat 3
    garp_master_delay 1
    garp_master_refresh 10
    track_file {
        haproxy_down
    }
    track_script {
        haproxy_answers
    }
}
EOF
  cat >"$x/etc/systemd/system/keepalived.service.d/cluster.conf" <<EOF
[Unit]
After=haproxy.service
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'mkdir -p $run; [ -e $run/haproxy-down ] || echo 1 >$run/haproxy-down'
ExecStopPost=/bin/sh -c 'ip address del $VIP/$prefix dev $link 2>/dev/null || true'
Nice=-20
Restart=always
RestartSec=1
EOF
}
