// Package tcp asks nodes by connecting: a node that accepts is up. Nothing is kept open between polls.
//
// Accepting is the kernel's work and proves little. So a text may be sent, and another expected in what comes back:
//
//	{"send": "version\r\n", "expect": "VERSION ", "kind": "memcached"}
//
// Each is at most 256 bytes, and neither may be secret, since it is a part of the state. The expected text must come
// within the first 4 KiB, else the reason is too_large. When all that came before the other side closed does not hold it,
// the reason is protocol; when nothing came at all, connection_reset.
package tcp
