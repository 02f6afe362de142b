package measures

// Buckets of durations, in seconds: of what happens between peers and on disks, and of what is rare and large.
var (
	quick = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}
	slow  = []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
)

// durations are samples in milliseconds.
var durations = []struct {
	key, name, help string
	buckets         []float64
}{
	{
		"raft.commitTime", "muster_raft_commit_duration_seconds",
		"From the leader's taking an entry to its being on disk at a majority; the leader's.", quick,
	},
	{
		"raft.fsm.apply", "muster_raft_apply_duration_seconds",
		"Applying one entry to the state.", quick,
	},
	{
		"raft.replication.appendEntries.rpc", "muster_raft_append_duration_seconds",
		"One batch of entries to a follower and its answer; the leader's.", quick,
	},
	{
		"raft.replication.heartbeat", "muster_raft_heartbeat_duration_seconds",
		"One heartbeat to a follower and its answer; the leader's.", quick,
	},
	{
		"raft.leader.lastContact", "muster_raft_follower_silence_seconds",
		"How long ago the leader had heard of a follower, each time it made sure of its lease, which ends after 0.25 s times " +
			"-raft-multiplier; the leader's.", quick,
	},
	{
		"raft.fsm.snapshot", "muster_raft_snapshot_pause_seconds",
		"How long applying stood still for a snapshot.", quick,
	},
	{
		"raft.snapshot.persist", "muster_raft_snapshot_duration_seconds",
		"Writing a snapshot of this peer's own.", slow,
	},
	{
		"raft.fsm.restore", "muster_raft_restore_duration_seconds",
		"Reading the state from a snapshot, at the start or when the leader sent one.", slow,
	},
	{
		"raft.replication.installSnapshot", "muster_raft_snapshot_send_duration_seconds",
		"Sending a snapshot to a follower that lacked more than the log holds; the leader's.", slow,
	},
	{
		"raft.rpc.installSnapshot", "muster_raft_snapshot_receive_duration_seconds",
		"Receiving a snapshot from the leader and reading it.", slow,
	},
	{
		"raft.compactLogs", "muster_raft_log_trim_duration_seconds",
		"Removing entries that a snapshot covers.", slow,
	},
	{
		"memberlist.probeNode", "muster_gossip_probe_duration_seconds",
		"Asking another member whether it is there, with the help of others where it was silent.", quick,
	},
	{
		"memberlist.pushPullNode", "muster_gossip_sync_duration_seconds",
		"Exchanging all that is known with another member.", quick,
	},
}

// counters are counts; where there is a label, each key is one value of it.
var counters = []struct {
	name, help, label string
	keys              map[string]string // by the value of the label
}{
	{
		"muster_raft_transitions_total", "Times this peer became a follower, candidate or leader.", "state",
		map[string]string{"follower": "raft.state.follower", "candidate": "raft.state.candidate", "leader": "raft.state.leader"},
	},
	{
		"muster_raft_heartbeat_timeouts_total", "Times this peer heard too little of the leader and stood for election.", "",
		map[string]string{"": "raft.transition.heartbeat_timeout"},
	},
	{
		"muster_raft_lease_timeouts_total", "Times this peer led, heard of too few voters, and stepped down.", "",
		map[string]string{"": "raft.transition.leader_lease_timeout"},
	},
	{
		"muster_raft_verifications_total", "Times this peer had a majority confirm that it leads, for a read.", "",
		map[string]string{"": "raft.verify_leader"},
	},
	{
		"muster_gossip_suspicions_total", "Times a member was suspected to have failed, here or by what another one said.", "",
		map[string]string{"": "memberlist.msg.suspect"},
	},
	{
		"muster_gossip_sent_bytes_total", "Bytes sent, by transport.", "transport",
		map[string]string{"udp": "memberlist.udp.sent", "tcp": "memberlist.tcp.sent"},
	},
}

// gauges are values as of now, times unit.
var gauges = []struct {
	key, name, help string
	unit            float64
}{
	{
		"raft.fsm.lastRestoreDuration", "muster_raft_last_restore_seconds",
		"How long the last reading of the state from a snapshot took; 0 for none since this peer started.", 0.001,
	},
	{
		"memberlist.health.score", "muster_gossip_health_score",
		"How poorly gossip works for this peer: 0 is well, each missed answer adds to it.", 1,
	},
}
