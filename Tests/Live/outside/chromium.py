"""Headless Chromium for the programs beside it."""

from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def start(arguments: tuple[str, ...] = (), prefs: dict | None = None) -> webdriver.Chrome:
    """Once more where it does not come up, which says nothing of what is to be looked at."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in [*ARGUMENTS, *arguments]:
        options.add_argument(argument)
    if prefs:
        options.add_experimental_option("prefs", prefs)
    try:
        return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    except SessionNotCreatedException:
        return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
