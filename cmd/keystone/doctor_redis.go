package main

import "context"

func (d *doctor) redis(context.Context) {}
