"""Did training teach the model why, or only to pass the test?"""
