// Package monitor lets readers watch what a peer logs while it runs, also below the level that the peer's own log is at.
//
// It stands between the peer's logger and the handler that writes the log. What a reader watches costs the peer the formatting
// of a line, and never a wait: each reader has bounded room, and lines that do not fit are left out and counted. The reader is
// told how many at the place where they are missing. Nobody reading costs one look at a number for each line.
//
// Lines are formatted outside all locks, by a handler made for the line: a value may do what it likes when it is asked for its
// text. So two lines that are logged at the same moment may reach readers in the other order than the log.
package monitor
