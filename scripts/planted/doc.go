// Planted shows that the tests of this repository can fail: it plants known bugs, one at a time, and runs the tests that
// must catch them.
//
//	go run ./scripts/planted            # all of them, each three times
//	go run ./scripts/planted 10 21      # these, by number
//	go run ./scripts/planted -list      # what there is
//	go run ./scripts/planted -v -times 1 10
//
// It prints a row for each bug and each test that must catch it, and exits 1 unless every test failed every time.
//
// Decisions:
//
//   - A bug is data (bugs_*.go): in which file which text becomes which other. The changed copy is handed to the go command
//     as an overlay. So no planted bug lives in the product, not even behind a build tag, and the tests that ship are the
//     ones that are shown to fail.
//   - A bug is caught when the test binary was built with it and a test failed in it, or a panic ended it. That it does not
//     compile, finds no test of the name or runs into its deadline is no catch.
//   - Each test is also run once without the bug: one that fails anyway catches nothing.
//   - That a test fails is all that is asked of it: it ends at its first failure, and a random one neither looks for the
//     smallest failure nor keeps it as a file, which the next runs would try first.
//   - A bug stands at the lowest layer that can catch it, and beside that at those that its number is there to prove.
//   - A test of this package holds that every text to be changed stands exactly once in its file, so that the table cannot
//     rot unnoticed.
package main
