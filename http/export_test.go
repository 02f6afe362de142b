package httpd

// PlaceOf and ParseAt are for tests of states that are laborious to bring about.
var (
	PlaceOf = placeOf
	ParseAt = parseAt
)
