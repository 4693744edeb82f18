"""SPF, DKIM, DMARC, ARC and Authentication-Results behind ``ports.Authenticator``; sole user of the DNS."""
