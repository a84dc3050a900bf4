"""The upload page: server-rendered, works without JavaScript, loads nothing from elsewhere."""
