package server

import (
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/web"
)

// Pages reads what people will see, as the settings want it.
func Pages(c *config.Config) (*web.Pages, error) {
	return web.New(web.Options{AppName: c.AppName, Language: c.DefaultLanguage})
}
