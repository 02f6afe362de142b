// Package docs does what the pages of the documentation say: README.md and every page under docs/, each on a machine of its own,
// against the real program, Consul and Redis. A page that promises a command which fails, or an output that is another, fails
// its test. So do links that lead nowhere.
//
// # What is run
//
// Blocks indented by four spaces and those fenced as sh or console hold commands. A page's blocks are run in their order by
// one shell, so that variables and the working folder last, as root, in an empty folder, where muster, consul and
// redis-server are on PATH. Each command must succeed; curl fails where the answer is an error. In a block with lines that
// begin with "$ " the others are what the command before them writes; it is compared where it is shown, and where a line of
// it begins with "Error:" the command must fail. Comments of HTML, which readers do not see, say the rest:
//
//	<!-- not run: WHY -->       the next block is not run; the test lists it
//	<!-- file: PATH -->         the next block is what that file holds from here on
//	<!-- stays -->              each command of the next block runs on, in a terminal of its own; until follows
//	<!-- until: COMMAND -->     the page goes on once COMMAND succeeds
//	<!-- run: COMMANDS -->      what the reader has done or will do, unseen; may have several lines
//	<!-- for WORD: TEXT -->     from here on WORD in commands, outputs and files stands for TEXT, and stands somewhere
//
// In comments, $wrote is the file that holds what the block or command before wrote, and stop ends all that runs on.
//
// In an output numbers of three and more digits, sizes, versions, times, spans of time, ids and digests stand for any of
// their kind, runs of blanks for one, … for anything within a line, and a line of … alone for any number of lines.
//
// # Decisions
//
//   - The machine is a copy of this one: an overlay of its files and namespaces of processes, mounts and network, which end
//     with the page. So pages say default ports, 10.0.0.1 to 10.0.0.3, /etc/muster and /var/lib/muster as readers would, and run
//     beside each other. It needs root, as other tests of this project do.
//   - A page stops at its first failure, as a reader would.
//   - Waiting is said by the page, as a condition. Nothing is tried twice.
package docs
