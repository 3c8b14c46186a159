"""The names of the tables, in order of size, for who must not import pandas."""

TABLE_NAMES = """
    penguins titanic german_credit concrete insurance ames_housing abalone spambase phoneme parkinsons wine_quality
    telco_churn compas higgs_small mushrooms uci_power_plant electrical_grid mammography bike_sharing letter
    california_housing credit_default bank_marketing adult diamonds
""".split()
# Tables that nothing was ever chosen by, picked by their names before anything was trained on them: those of R's
# package modeldata with 900 rows or more and one thing to predict, less its twins of tables above, grants (1,503
# columns) and hpc_cv (predictions); Caravan, OJ and Wage of ISLR; SaratogaHouses of mosaicData. `kept_out.py` writes
# them to a folder.
KEPT_OUT_NAMES = """
    sacramento oj attrition saratoga_houses leaf_id_flavia cells wage hpc_data credit_data mlc_churn stackoverflow
    chicago caravan lending_club taxi deliveries check_times hotel_rates
""".split()
