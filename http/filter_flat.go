package httpd

import "reflect"

// flattener lays the structs that a row embeds open. JSON tells their fields as the row's own; go-bexpr does not find them.
type flattener struct {
	flat  reflect.Type
	index [][]int // of each field of flat in the row
}

// flatten is nil for rows that embed nothing.
func flatten(row reflect.Type) *flattener {
	var f flattener
	var fields []reflect.StructField
	embeds := false
	for _, field := range reflect.VisibleFields(row) {
		switch {
		case field.Anonymous && field.Tag.Get("json") == "":
			embeds = true
		case field.IsExported():
			fields = append(fields, reflect.StructField{Name: field.Name, Type: field.Type, Tag: field.Tag})
			f.index = append(f.index, field.Index)
		}
	}
	if !embeds {
		return nil
	}
	f.flat = reflect.StructOf(fields)
	return &f
}

// of is a row, given by pointer, laid open.
func (f *flattener) of(row any) any {
	from, to := reflect.ValueOf(row).Elem(), reflect.New(f.flat)
	for i, index := range f.index {
		to.Elem().Field(i).Set(from.FieldByIndex(index))
	}
	return to.Interface()
}
