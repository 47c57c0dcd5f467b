"""The matrix: which releases of the companions load with which torch, in which build, and how that is known.

``selection`` says what is asked, ``table`` yields the entries, ``judging`` decides each of them. The reports print
them; ``page_data`` packs the same knowledge for the page that judges in a browser.
"""
