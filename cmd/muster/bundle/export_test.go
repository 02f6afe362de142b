package bundle

// KeepAtMost bounds files until the function it returns is called.
func KeepAtMost(bytes int64) (restore func()) {
	was := maxFile
	maxFile = bytes
	return func() { maxFile = was }
}
