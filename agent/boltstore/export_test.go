package boltstore

// The codec of stored entries, for its fuzz target.
var (
	EncodeEntry = encodeEntry
	DecodeEntry = decodeEntry
)
