// Package rabbitmq asks RabbitMQ nodes over the HTTP API of the management plugin.
//
//	{"username": "muster", "password_file": "rabbitmq", "management_port": 15672, "queues": true}
//
// The target's port is that of the management plugin, or, with "management_port", that port of the target's address: so
// nodes may be listed with the port that clients use. The login, TLS and a token (where RabbitMQ takes OAuth's) are those of
// package probe's Web; the API answers nobody who does not log in.
//
// # What is asked
//
// /api/overview with disable_stats, which says who answers, the cluster's name, the version and how many queues there are;
// /api/nodes/NAME of the node that answers; and, if the cluster has 1 to 500 queues, /api/queues, one page with
// disable_stats. Each names the columns it wants. Whole, the pages gather figures from every node, and one that hangs would
// hang them all. enable_queue_totals is not asked for: with it 3.10 asks each queue's leader, so that the page hangs for
// seconds when one has just died, and leaves out the queues that have none.
//
// # What is reported
//
// kind is rabbitmq. node_id is the node's name, such as rabbit@host, and cluster_id the cluster's, so that to rename a
// cluster is a change of identity. There are no attributes. state is up, or leaving, "maintenance", for a node that is being
// drained, where the server says so (3.10 does not: it refuses new connections, and says up over one that was kept). What
// troubles a node that is up is its reason, joined by commas: network_partition, memory_alarm, disk_alarm; the detail says
// from whom it is parted. The node's own figures are up to 5 s old, and for the first seconds there are none. A node that
// boots or whose application is stopped does not listen: connection_refused, or connection_reset for a moment.
//
// A quorum queue that the node is a member of is the shard VHOST/QUEUE, such as %2F/orders in the virtual host /: primary
// on its leader, else replica, without an offset. Each node says what it knows of the leader; without one all are replicas.
// Classic queues are on one node and none takes over; who leads a stream is not told without figures of every node. Neither
// is a shard. With more than 500 queues in the cluster, of all types, no node reports any, for a part of them would seem to
// lack primaries, and listing costs more the more there are. "queues": false leaves them out in any case.
//
// # Who may ask
//
// A user with the tag monitoring, which needs no permission for any of this but the queues:
//
//	rabbitmqctl add_user muster PASSWORD
//	rabbitmqctl set_user_tags muster monitoring
//	rabbitmqctl set_permissions -p / muster '' '' ''
//
// The last, of a virtual host, permits nothing there; it lets the user see the queues, and may be left out. The password
// goes over the wire as Basic, in the clear unless TLS is on.
package rabbitmq
