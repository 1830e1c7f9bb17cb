package server

import (
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/web"
)

// Pages reads what people will see, as the settings want it, and adds to the
// warnings of the settings.
func Pages(c *config.Config) (*web.Pages, error) {
	pages, err := web.New(web.Options{AppName: c.AppName, Language: c.DefaultLanguage, Logo: c.BrandLogo, Color: c.BrandColor, Templates: c.TemplateDir})
	if err != nil {
		return nil, err
	}
	c.Warnings = append(c.Warnings, pages.Warnings...)
	return pages, nil
}
