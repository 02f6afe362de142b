// Package crashtest holds the tests of the log store whose processes are killed, failed and stopped in the middle of their
// writes, at every call by which these reach the disk.
//
// What the kernel is asked for is seen and tampered with by strace, which scripts/servers.sh installs. So they are a package of
// their own: with -short none of them runs, and TestMain says so.
package crashtest
