# Settings of this peer. All files in /etc/muster that end in .hcl or .json are read, by name, later ones win.
# "muster validate /etc/muster" checks them, "systemctl reload muster" has the peer read them again.

data_dir = "/var/lib/muster"

# A peer needs to know its group once. The first ones found it together, each with the number of them all:
#bootstrap_expect = 3

# Each meets the others through the gossip addresses of some:
#join = ["10.0.0.2:8652", "10.0.0.3:8652"]

# Through Consul, with join = ["consul://muster"], where each is registered then:
#consul {
#  register   = true
#  token_file = "/etc/muster/consul.token"
#}

# Where others reach it. Off loopback it starts only with certificates, a gossip key and ACLs. Their files are readable by
# the group muster: install -g muster -m 640 peer-key.pem /etc/muster/
#http_addr   = "10.0.0.1:8650"
#peer_addr   = "10.0.0.1:8651"
#gossip_addr = "10.0.0.1:8652"
# Listening everywhere ("0.0.0.0:8650" and so on), or behind a translation of addresses, it says where that is:
#advertise {
#  address = "10.0.0.1"
#}
#gossip_key_file = "/etc/muster/gossip.key"
#acl {
#  enabled = true
#}
#tls {
#  ca_file   = "/etc/muster/ca.pem"
#  cert_file = "/etc/muster/peer.pem"
#  key_file  = "/etc/muster/peer-key.pem"
#}

#labels {
#  zone = "eu-1a"
#}

# What requests, runs and refreshes do, told to an OpenTelemetry collector:
#trace {
#  endpoint = "https://collector.example.com:4318"
#  ratio    = 0.01
#}
