"""The names of the tables, in order of size, for who must not import pandas."""

TABLE_NAMES = """
    penguins titanic german_credit concrete insurance ames_housing abalone spambase phoneme parkinsons wine_quality
    telco_churn compas higgs_small mushrooms uci_power_plant electrical_grid mammography bike_sharing letter
    california_housing credit_default bank_marketing adult diamonds
""".split()
