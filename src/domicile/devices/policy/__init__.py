"""The ban rendered for others: settings of mail and web servers, ready to apply."""
