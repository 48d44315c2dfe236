/// A key and a self-signed certificate for `localhost` and 127.0.0.1, for the test's own peer alone.
enum TestCertificate {
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgx4w8l9SdTwpkm8sc
        MScge4F1HMlAXXaF3khntHMXFW2hRANCAATlK0WG3AxizKDJ+qwu0khiocIr1NU+
        uEsROBmmxUrew6Ma2rD69QMsQw/mcTZUuJUu1sUXMoO9Bsra8PdLVlzj
        -----END PRIVATE KEY-----
        """

    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBmzCCAUGgAwIBAgIUSRuBEiTD2d4VXNRUMWOkgSxVxaAwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIyNDU0NFoYDzIxMjYxMDI5
        MjI0NTQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATlK0WG3AxizKDJ+qwu0khiocIr1NU+uEsROBmmxUrew6Ma2rD69QMs
        Qw/mcTZUuJUu1sUXMoO9Bsra8PdLVlzjo28wbTAdBgNVHQ4EFgQUIIwrCFLMdvix
        0L9qEH9j2v3ItsIwHwYDVR0jBBgwFoAUIIwrCFLMdvix0L9qEH9j2v3ItsIwDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSAAwRQIhAO6YS7xRDC60zUnBPsU+0nOOcARdXFa9wTMPu52q6BzIAiAN
        HKwomxVe6u7jSffSBLalBaBc2j9kZX1aDr0jY5Lhiw==
        -----END CERTIFICATE-----
        """
}
