package httpd

// PlaceOf is for tests of states that are laborious to bring about.
var PlaceOf = placeOf
